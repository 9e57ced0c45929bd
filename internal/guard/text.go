package guard

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

func ops(operations ...admissionregistrationv1.OperationType) []admissionregistrationv1.OperationType {
	return operations
}

// quoted is a list of words in CEL.
func quoted(words []string) string { return `['` + strings.Join(words, `', '`) + `']` }
