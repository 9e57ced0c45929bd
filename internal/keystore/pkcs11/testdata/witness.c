// A PKCS#11 module that stands before SoftHSM: it writes down what it is asked for, and answers otherwise where the test has it do so, by environment
// variables. So tests can see that nothing is read that must not be, and meet tokens that are locked, lie, hang or are taken away.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ulong;
typedef void (*function)(void);
typedef struct { unsigned char version[2]; function functions[68]; } list;
typedef struct { ulong type; void *value; ulong length; } attribute;

enum { GET_SLOT_INFO = 5, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18, GET_ATTRIBUTE_VALUE = 24, FIND_OBJECTS_INIT = 26 };
enum { FLAGS = 96 }; // where flags stand in CK_SLOT_INFO and CK_TOKEN_INFO

static list *real;
static list ours;

static void note(const char *what, ulong value) {
	FILE *file = fopen(getenv("WITNESS_LOG"), "a");
	fprintf(file, "%s 0x%lx\n", what, value);
	fclose(file);
}

static ulong told(const char *name) {
	const char *value = getenv(name);
	return value == NULL || *value == 0 ? 0 : strtoul(value, NULL, 0);
}

static ulong slot_info(ulong slot, unsigned char *info) {
	ulong answer = ((ulong (*)(ulong, unsigned char *))real->functions[GET_SLOT_INFO])(slot, info);
	*(ulong *)(info + FLAGS) |= told("WITNESS_SLOT_FLAGS");
	return answer;
}

static ulong token_info(ulong slot, unsigned char *info) {
	ulong answer = ((ulong (*)(ulong, unsigned char *))real->functions[GET_TOKEN_INFO])(slot, info);
	*(ulong *)(info + FLAGS) |= told("WITNESS_TOKEN_FLAGS");
	return answer;
}

static ulong open_session(ulong slot, ulong flags, void *application, void *notify, ulong *session) {
	note("session", flags);
	return ((ulong (*)(ulong, ulong, void *, void *, ulong *))real->functions[OPEN_SESSION])(slot, flags, application, notify, session);
}

static ulong login(ulong session, ulong user, unsigned char *pin, ulong length) {
	note("login", user);
	if (told("WITNESS_LOGIN"))
		return told("WITNESS_LOGIN");
	return ((ulong (*)(ulong, ulong, unsigned char *, ulong))real->functions[LOGIN])(session, user, pin, length);
}

static ulong get_attribute_value(ulong session, ulong object, attribute *attributes, ulong count) {
	for (ulong i = 0; i < count; i++) {
		if (attributes[i].value != NULL)
			note("read", attributes[i].type);
		if (told("WITNESS_MUTE") && attributes[i].type == told("WITNESS_MUTE"))
			return 5; // CKR_GENERAL_ERROR
		if (attributes[i].type == 0x11 && told("WITNESS_GIVES") && attributes[i].value == NULL) {
			attributes[i].length = 32;
			return 0;
		}
	}
	return ((ulong (*)(ulong, ulong, attribute *, ulong))real->functions[GET_ATTRIBUTE_VALUE])(session, object, attributes, count);
}

static ulong find_objects_init(ulong session, attribute *template, ulong count) {
	note("find", count);
	if (getenv("WITNESS_HANGS") != NULL && *getenv("WITNESS_HANGS") != 0)
		fclose(fopen(getenv("WITNESS_HANGS"), "r")); // a pipe: until somebody opens its other end
	if (told("WITNESS_FIND"))
		return told("WITNESS_FIND");
	return ((ulong (*)(ulong, attribute *, ulong))real->functions[FIND_OBJECTS_INIT])(session, template, count);
}

ulong C_GetFunctionList(list **out) {
	if (real == NULL) {
		void *library = dlopen(getenv("WITNESS_MODULE"), RTLD_NOW);
		if (library == NULL || ((ulong (*)(list **))dlsym(library, "C_GetFunctionList"))(&real) != 0)
			return 5; // CKR_GENERAL_ERROR
		ours = *real;
		ours.functions[GET_SLOT_INFO] = (function)slot_info;
		ours.functions[GET_TOKEN_INFO] = (function)token_info;
		ours.functions[OPEN_SESSION] = (function)open_session;
		ours.functions[LOGIN] = (function)login;
		ours.functions[GET_ATTRIBUTE_VALUE] = (function)get_attribute_value;
		ours.functions[FIND_OBJECTS_INIT] = (function)find_objects_init;
	}
	*out = &ours;
	return 0;
}
