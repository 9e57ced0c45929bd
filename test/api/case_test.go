package api_test

import (
	"fmt"
	"strings"
)

// cases are objects to be refused, by the sentence that says what is wrong with each.
type cases map[string]refusal

// refusal is one tweak of a valid object, and what the API server has to say to it.
type refusal struct {
	tweak tweak
	// field is the path at which the error stands.
	field string
	// says is a part of the error's message.
	says string
}

// all joins tables. That a sentence stands in two of them is a mistake in the test.
func all(tables ...cases) cases {
	joined := cases{}
	for _, table := range tables {
		for sentence, c := range table {
			if _, twice := joined[sentence]; twice {
				panic(fmt.Sprintf("two cases are called %q", sentence))
			}
			joined[sentence] = c
		}
	}
	return joined
}

// required: none of these fields may be missing.
func required(paths ...string) cases {
	found := cases{}
	for _, path := range paths {
		found[path+" is missing"] = refusal{without(path), path, missing}
	}
	return found
}

// text has between least and most characters.
func text(path string, least, most int) cases {
	found := cases{
		fmt.Sprintf("%s has %d characters", path, most+1): {set(path, strings.Repeat("x", most+1)), path, tooLong(int64(most))},
	}
	if least > 0 {
		found[path+" is empty"] = refusal{set(path, ""), path, tooShort(int64(least))}
	}
	return found
}

// term is a short name within an object.
func term(path string) cases { return text(path, 1, 63) }

// number is between least and most.
func number(path string, least, most int) cases {
	return cases{
		fmt.Sprintf("%s is %d", path, least-1): {set(path, int64(least-1)), path, tooSmall(int64(least))},
		fmt.Sprintf("%s is %d", path, most+1):  {set(path, int64(most+1)), path, tooBig(int64(most))},
	}
}

// choice is one of the values, spelt as they are.
func choice(path string, values ...string) cases {
	return cases{
		path + " is " + strings.ToLower(values[0]): {set(path, strings.ToLower(values[0])), path, oneOf(values...)},
	}
}

// moment is a date with a time of day.
func moment(path string) cases {
	return cases{path + " is a day without a time": {set(path, "2026-01-01"), path, formatted("date-time")}}
}

// day is a date that exists, without a time of day.
func day(path string) cases {
	return all(
		cases{path + " is 30 February": {set(path, "2026-02-30"), path, formatted("date")}},
		cases{path + " is a day with a time": {set(path, "2026-01-01T00:00:00Z"), path, tooLong(10)}},
	)
}

// list has at most so many entries. Those that are objects differ in the fields that are named.
func list(path string, most int, fields ...string) cases {
	return cases{
		fmt.Sprintf("%s has %d entries", path, most+1): {grown(path, most+1, fields...), path, tooMany(int64(most))},
	}
}

// filled: a list has at least one entry.
func filled(path string) cases {
	return cases{path + " has no entry": {set(path, []any{}), path, tooFew(1)}}
}

// distinct: no entry of a list appears twice. For lists of objects the key makes the difference.
func distinct(path string) cases {
	return cases{path + " has an entry twice": {twice(path), path + "[1]", duplicate}}
}

// setOf is a list of so many different entries at most.
func setOf(path string, most int, fields ...string) cases {
	return all(list(path, most, fields...), distinct(path))
}

const (
	isCountry = "must be an ISO 3166-1 alpha-2 country code in capitals, such as FR (GB for the United Kingdom, GR for Greece)"
	isPlace   = "must be EU, EEA, or an ISO 3166-1 alpha-2 country code in capitals, such as FR (GB for the United Kingdom, GR for Greece)"
)

// country is a country and not a union of them.
func country(path string) cases {
	return all(
		wrong(path, isCountry, "UK", "EL", "fr", "EU", "", " F", "FRA", "XX", "AD AE", "France"),
		cases{path + " is a sentence": {set(path, strings.Repeat("x", 65)), path, tooLong(64)}},
	)
}

// territory is a country or a union of countries.
func territory(path string) cases {
	return all(
		wrong(path, isPlace, "UK", "EL", "fr", "eu", "", "FRA", "XX", "EU EEA", "Europe"),
		cases{path + " is a sentence": {set(path, strings.Repeat("x", 65)), path, tooLong(64)}},
	)
}

// wrong: each of these values is refused with the same words.
func wrong(path, says string, values ...string) cases {
	found := cases{}
	for _, value := range values {
		found[fmt.Sprintf("%s is %q", path, value)] = refusal{set(path, value), path, says}
	}
	return found
}

// objectName is the name of another object.
func objectName(path string) cases {
	return all(
		text(path, 1, 253),
		wrong(path, "must be the name of an object: lower case letters, digits, '-' and '.', such as secnumcloud-3.2", "SecNumCloud", "-a", "a_b"),
	)
}

// levelName is the name of a TrustLevel.
func levelName(path string) cases {
	return all(
		term(path),
		wrong(path, "must be a DNS label of at most 63 characters: lower case letters, digits and '-', such as secnumcloud", "SecNumCloud", "secnumcloud-3.2"),
	)
}

// keyName is the name of an EncryptionKey.
func keyName(path string) cases {
	return all(
		term(path),
		wrong(path, "must be a DNS label of at most 63 characters: lower case letters, digits and '-', such as health-kek", "HealthKEK", "health.kek"),
	)
}

// inOf are the same cases of a full object that was changed first.
func inOf(first tweak, of cases) cases {
	found := cases{}
	for sentence, c := range of {
		found[sentence] = refusal{both(first, c.tweak), c.field, c.says}
	}
	return found
}

// labelKey is the key of a label.
func labelKey(path string) cases {
	return all(
		text(path, 1, 316),
		wrong(path, "must be a label's key, such as topology.kubernetes.io/zone", "a b", "a/b/c", "/net", "-net"),
	)
}

// siteName is the name of a building.
func siteName(path string) cases {
	return all(
		term(path),
		wrong(path, "must be usable as a label value: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, such as paris-1",
			"Paris 1", "-paris", "paris/1"),
	)
}

// prefix is the beginning of a provider ID.
func prefix(path string) cases {
	return all(
		text(path, 0, 253),
		wrong(path, "must begin with a scheme and end with '/', such as aws:///eu-west-2a/", "", "aws:///eu-west-2a", "eu-west-2a/", "://", "/aws://", "aws:/eu-west-2a/"),
	)
}

// evidence is where facts were read.
func evidence(path string) cases {
	return all(
		list(path, 16),
		required(path+"[0].url", path+"[0].retrievedAt"),
		text(path+"[0].url", 0, 1024),
		wrong(path+"[0].url", "must be an https:// or http:// address", "", "www.example.org", "ftp://example.org/list", "https//example.org"),
		text(path+"[0].sha256", 0, 64),
		wrong(path+"[0].sha256", "must be a SHA-256 as sha256sum prints it: 64 hexadecimal digits in lower case", "", "abc", strings.Repeat("A", 64)),
		moment(path+"[0].retrievedAt"),
		text(path+"[0].note", 0, 1024),
	)
}

// exposures are opinions on the reach of laws.
func exposures(path string) cases {
	return all(
		setOf(path, 32, "law"),
		required(path+"[0].law", path+"[0].state"),
		term(path+"[0].law"),
		choice(path+"[0].state", "NotExposed", "Exposed", "Undetermined"),
		text(path+"[0].assessedBy", 0, 256),
		day(path+"[0].assessedAt"),
		text(path+"[0].basis", 0, 2048),
	)
}

// duration is a length of time.
func duration(path string) cases {
	return all(
		text(path, 0, 32),
		wrong(path, "must be a positive length of time in hours, minutes and seconds, each of at most six digits, such as 8760h for a year",
			"", "0h", "-1h", "1y", "365", "365d", "1.5h", "1s1h", "9999999h"),
	)
}

// conditions are in every status.
func conditions() cases { return setOf("status.conditions", 8, "type") }

// accepted are objects that look wrong and are not, by the sentence that says why one might think so.
type accepted map[string]tweak
