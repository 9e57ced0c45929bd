// Package kmip asks stores of type kmip.
package kmip
