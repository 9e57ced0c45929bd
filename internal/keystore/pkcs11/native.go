//go:build cgo

//nolint:gocritic // it sees what cgo makes of this file, which imports and compares more than once
package pkcs11

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

typedef unsigned long terroir_ulong;                  // CK_ULONG
typedef void (*terroir_function)(void);

typedef struct {                                      // CK_FUNCTION_LIST; the order of its functions is that of the standard
	unsigned char version[2];
	terroir_function functions[68];
} terroir_list;

typedef struct {                                      // CK_ATTRIBUTE
	terroir_ulong type;
	void *value;
	terroir_ulong length;
} terroir_attribute;

enum { TERROIR_LOGIN = 18, TERROIR_GET_ATTRIBUTE_VALUE = 24 };

// terroir_load loads a library and gives its function list, or says why not.
static terroir_list *terroir_load(const char *path, const char **why) {
	void *library = dlopen(path, RTLD_LAZY);
	if (library == NULL) {
		*why = dlerror();
		return NULL;
	}
	terroir_ulong (*list)(terroir_list **) = (terroir_ulong (*)(terroir_list **))dlsym(library, "C_GetFunctionList");
	if (list == NULL) {
		*why = dlerror();
		return NULL;
	}
	terroir_list *functions = NULL;
	if (list(&functions) != 0 || functions == NULL) {
		*why = "C_GetFunctionList failed";
		return NULL;
	}
	return functions;
}

// terroir_login_user logs in as the user, CKU_USER, and cannot log in as anybody else.
static terroir_ulong terroir_login_user(terroir_list *l, terroir_ulong session, unsigned char *pin, terroir_ulong length) {
	terroir_ulong (*login)(terroir_ulong, terroir_ulong, unsigned char *, terroir_ulong) =
		(terroir_ulong (*)(terroir_ulong, terroir_ulong, unsigned char *, terroir_ulong))l->functions[TERROIR_LOGIN];
	return login(session, 1, pin, length);
}

// terroir_get asks for an attribute. Without a buffer it asks only how long the value is.
static terroir_ulong terroir_get(terroir_list *l, terroir_ulong session, terroir_ulong object, terroir_ulong type, void *buffer, terroir_ulong *length) {
	terroir_ulong (*get)(terroir_ulong, terroir_ulong, terroir_attribute *, terroir_ulong) =
		(terroir_ulong (*)(terroir_ulong, terroir_ulong, terroir_attribute *, terroir_ulong))l->functions[TERROIR_GET_ATTRIBUTE_VALUE];
	terroir_attribute attribute = {type, buffer, buffer == NULL ? 0 : *length};
	terroir_ulong answer = get(session, object, &attribute, 1);
	*length = attribute.length;
	return answer;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// maxAttribute bounds what is read of an attribute. The longest that is read is an RSA modulus.
const maxAttribute = 16 << 10

// errUnavailable: the token does not tell how long an attribute is, which is how it says that there is none.
var errUnavailable = errors.New("not available")

// native makes the calls for which the binding that is used elsewhere does too much: it reads the value of every attribute that it is asked for, and
// makes copies of PINs that cannot be wiped.
type native struct{ list *C.terroir_list }

// load loads a library, or finds it loaded. It stays loaded for the life of the process: libraries do not bear being unloaded.
func load(path string) (native, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var why *C.char
	list := C.terroir_load(name, &why)
	if list == nil {
		return native{}, errors.New(C.GoString(why))
	}
	return native{list: list}, nil
}

// login logs in as the token's user. It wipes the PIN.
func (n native) login(session pkcs11.SessionHandle, pin []byte) error {
	defer clear(pin)
	return answered(C.terroir_login_user(n.list, C.terroir_ulong(session), (*C.uchar)(unsafe.Pointer(unsafe.SliceData(pin))), C.terroir_ulong(len(pin))))
}

// length asks how long an attribute's value is. The value stays where it is.
func (n native) length(session pkcs11.SessionHandle, object pkcs11.ObjectHandle, attribute uint) (uint, error) {
	var length C.terroir_ulong
	err := answered(C.terroir_get(n.list, C.terroir_ulong(session), C.terroir_ulong(object), C.terroir_ulong(attribute), nil, &length))
	if err == nil && length == ^C.terroir_ulong(0) {
		err = errUnavailable
	}
	return uint(length), err
}

// value reads an attribute's value.
func (n native) value(session pkcs11.SessionHandle, object pkcs11.ObjectHandle, attribute readable) ([]byte, error) {
	length, err := n.length(session, object, uint(attribute))
	if err != nil || length == 0 {
		return nil, err
	}
	if length > maxAttribute {
		return nil, fmt.Errorf("an attribute of %d bytes: at most %d are read", length, maxAttribute)
	}
	buffer, got := make([]byte, length), C.terroir_ulong(length)
	err = answered(C.terroir_get(n.list, C.terroir_ulong(session), C.terroir_ulong(object), C.terroir_ulong(attribute), unsafe.Pointer(&buffer[0]), &got))
	if err == nil && got > C.terroir_ulong(length) {
		err = errUnavailable
	}
	if err != nil {
		return nil, err
	}
	return buffer[:got], nil
}

func answered(rv C.terroir_ulong) error {
	if rv == pkcs11.CKR_OK {
		return nil
	}
	return pkcs11.Error(rv)
}
