package kmip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/ttlv"
)

// The law of answers.
//
// An answer is one structure in TTLV: a tag of three bytes, a type of one, a length of four, and the value, padded to a multiple of eight. It is read only
// if its header says that it is an answer and not longer than maxFrame, which is much more than the attributes of one key take. It is
// decoded only if every value in it has the length that its type demands, fills its parent exactly, and lies no deeper than maxDepth:
// the library's decoder takes lengths on trust and recurses as deep as it is led.

const (
	// maxFrame is how long an answer is at most, its header included.
	maxFrame = 64 << 10
	// maxDepth is how deep structures lie at most. Attributes lie at five, parameters within them at six.
	maxDepth = 16

	header = 8
)

var (
	errOversized = errors.New("the server's answer is too long")
	errGarbage   = errors.New("the server's answer cannot be understood")
)

// readFrame reads one answer, whole.
func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, header)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	if tag, kind := tagOf(head), ttlv.Type(head[3]); tag != kmip.TagResponseMessage || kind != ttlv.TypeStructure {
		return nil, errGarbage
	}
	length := binary.BigEndian.Uint32(head[4:])
	if length > maxFrame-header {
		return nil, errOversized
	}
	frame := make([]byte, header+int(length))
	copy(frame, head)
	if _, err := io.ReadFull(r, frame[header:]); err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	return frame, nil
}

func tagOf(item []byte) int {
	return int(item[0])<<16 | int(item[1])<<8 | int(item[2])
}

// checkFrame reports whether data is a row of items that are shaped as their types demand.
func checkFrame(data []byte, depth int) error {
	if depth > maxDepth {
		return errGarbage
	}
	for len(data) > 0 {
		value, rest, err := cut(data)
		if err != nil {
			return err
		}
		if ttlv.Type(data[3]) == ttlv.TypeStructure {
			if err := checkFrame(value, depth+1); err != nil {
				return err
			}
		}
		data = rest
	}
	return nil
}

// cut parts the first item's value from what comes after its padding.
func cut(data []byte) (value, rest []byte, err error) {
	if len(data) < header {
		return nil, nil, errGarbage
	}
	length := uint64(binary.BigEndian.Uint32(data[4:]))
	padded := (length + 7) &^ 7
	if padded > uint64(len(data)-header) || !fits(ttlv.Type(data[3]), length) {
		return nil, nil, errGarbage
	}
	return data[header : header+length], data[header+padded:], nil
}

// fits reports whether a value of this type may have this length.
func fits(kind ttlv.Type, length uint64) bool {
	switch kind {
	case ttlv.TypeInteger, ttlv.TypeEnumeration, ttlv.TypeInterval:
		return length == 4
	case ttlv.TypeLongInteger, ttlv.TypeBoolean, ttlv.TypeDateTime:
		return length == 8
	case ttlv.TypeBigInteger, ttlv.TypeStructure:
		return length%8 == 0
	case ttlv.TypeTextString, ttlv.TypeByteString:
		return true
	default:
		return false
	}
}

// decode reads an answer. The library panics over what it does not expect; an answer over which it does is garbage, and no reason for the operator to end.
func decode(frame []byte) (message *kmip.ResponseMessage, err error) {
	if err := checkFrame(frame, 0); err != nil {
		return nil, err
	}
	defer func() {
		if recover() != nil {
			message, err = nil, errGarbage
		}
	}()
	message = &kmip.ResponseMessage{}
	if err := ttlv.UnmarshalTTLV(frame, message); err != nil {
		return nil, errGarbage
	}
	return message, nil
}
