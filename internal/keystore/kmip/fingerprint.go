package kmip

import (
	"cmp"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/ovh/kmip-go"
)

// The law of fingerprints.
//
// The best that tells a key from its successor is the digest of its value, which servers make when they get the key. It is a plain hash, and whoever reads an
// EncryptionKey may not be meant to have one: of a key that somebody chose badly it would confirm a guess. So the fingerprint is a slow
// hash of the digest, salted with the unique identifier. A server that gives no digest gives the date at which the object came to be, which with identifier,
// algorithm and length tells all keys apart but those that a liar made. One that gives neither gives no fingerprint, and its keys are never proven.

// rounds make one guess at a key cost some ten milliseconds, and so does making a fingerprint.
const rounds = 100_000

// printed is a fingerprint, and the digest that it was made of.
type printed struct {
	digest, fingerprint string
}

// fingerprint is that of the key; "" if there is nothing to make it of.
func (p *prober) fingerprint(id string, a attributes) string {
	if len(a.digests) > 0 {
		return p.ofDigest(id, best(a.digests))
	}
	if a.initial == nil {
		return ""
	}
	text := fmt.Sprintf("terroir.dev/kmip/object\x00%d\x00%d\x00%d\x00%d\x00%s", a.initial.Unix(), a.objectType, a.algorithm, a.bits, id)
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// best chooses one digest of several, and the same whenever it is there: that by SHA-256, of the raw key.
func best(digests []kmip.Digest) kmip.Digest {
	rank := func(holds bool) int {
		if holds {
			return 0
		}
		return 1
	}
	return slices.MinFunc(digests, func(a, b kmip.Digest) int {
		return cmp.Or(
			cmp.Compare(rank(a.HashingAlgorithm == kmip.HashingAlgorithmSHA_256), rank(b.HashingAlgorithm == kmip.HashingAlgorithmSHA_256)),
			cmp.Compare(rank(a.KeyFormatType == kmip.KeyFormatTypeRaw), rank(b.KeyFormatType == kmip.KeyFormatTypeRaw)),
			cmp.Compare(a.HashingAlgorithm, b.HashingAlgorithm),
			cmp.Compare(a.KeyFormatType, b.KeyFormatType),
			slices.Compare(a.DigestValue, b.DigestValue),
		)
	})
}

func (p *prober) ofDigest(id string, d kmip.Digest) string {
	digest := fmt.Sprintf("%d\x00%d\x00%s", d.HashingAlgorithm, d.KeyFormatType, d.DigestValue)
	if known := p.prints[id]; known.digest == digest {
		return known.fingerprint
	}
	slow, err := pbkdf2.Key(sha256.New, digest, []byte("terroir.dev/kmip/digest\x00"+id), rounds, sha256.Size)
	if err != nil {
		return "" // the length is one that it makes; without a fingerprint nothing is proven
	}
	p.prints[id] = printed{digest: digest, fingerprint: "sha256:" + hex.EncodeToString(slow)}
	return p.prints[id].fingerprint
}
