// Package pkcs11 asks stores of type pkcs11.
package pkcs11
