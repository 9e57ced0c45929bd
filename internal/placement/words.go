package placement

import (
	"fmt"
	"strings"

	"github.com/terroir-dev/terroir/internal/policy"
)

// requires says what is owed and who demands it, as part of a sentence.
func requires(owed policy.Obligation) string {
	if len(owed.Levels) == 0 && owed.MinSites == 0 && owed.Encryption != nil {
		return requiresEncryption(owed)
	}
	if len(owed.Levels) == 0 {
		return fmt.Sprintf("%s requires a spread over %d sites", owed.Provenance(""), owed.MinSites)
	}
	parts := make([]string, len(owed.Levels))
	for i, level := range owed.Levels {
		parts[i] = requiresLevel(owed, level)
	}
	return strings.Join(parts, ", and ")
}

func requiresEncryption(owed policy.Obligation) string {
	return policy.InWords(owed.EncryptionDemandedBy(nil)) + " requires that volumes are encrypted"
}

func requiresLevel(owed policy.Obligation, level string) string {
	return fmt.Sprintf("%s requires trust level %s", owed.Provenance(level), level)
}
