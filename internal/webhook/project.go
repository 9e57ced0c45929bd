package webhook

import "bytes"

// Four fifths of the time that a pod's review takes would go into scanning what nobody reads: managedFields, containers.
// A projection copies only what is read, and finds the end of everything else without looking into it, so that the
// decoder proper gets one review in ten. It is no judge of JSON: what it does not understand it leaves to the decoder,
// whole, and what it copies the decoder checks. Broken JSON in what nobody reads may thus go unnoticed; it can change nothing of
// what is read, and the API server sends none.

// part says what to keep of an object, by key. An empty part keeps all.
type part map[string]part

// podReview is what [request] and [placement.Pod] name. A test holds them equal.
var podReview = part{
	"apiVersion": nil, "kind": nil,
	"request": {
		"uid": nil, "kind": nil, "resource": nil, "subResource": nil, "operation": nil, "namespace": nil, "name": nil, "userInfo": {"username": nil},
		"object": {
			"metadata": {"name": nil, "generateName": nil, "labels": nil, "annotations": nil, "ownerReferences": nil},
			"spec": {
				"nodeName": nil, "schedulerName": nil, "runtimeClassName": nil, "nodeSelector": nil, "topologySpreadConstraints": nil, "volumes": nil, "schedulingGates": nil,
			},
			"status": {"phase": nil},
		},
	},
}

// project appends to dst the parts of a JSON text that are to be kept. It returns false if the text is not what it
// understands: then nothing of dst may be used.
func project(dst, text []byte, keep part) (_ []byte, ok bool) {
	p := projection{text: text, out: dst}
	ok = p.value(keep) && p.blank() == len(text)
	return p.out, ok
}

type projection struct {
	text []byte
	at   int
	out  []byte
}

// blank passes over white space and returns where it ends.
func (p *projection) blank() int {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\n' || p.text[p.at] == '\t' || p.text[p.at] == '\r') {
		p.at++
	}
	return p.at
}

// next passes over white space and c, if it comes next.
func (p *projection) next(c byte) bool {
	if p.blank() < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// value copies a value: an object in part, anything else whole.
func (p *projection) value(keep part) bool {
	if keep == nil || p.blank() < len(p.text) && p.text[p.at] != '{' {
		from := p.blank()
		ok := p.skip()
		p.out = append(p.out, p.text[from:p.at]...)
		return ok
	}
	return p.object(keep)
}

// object copies those members of an object that are to be kept.
func (p *projection) object(keep part) bool {
	if !p.next('{') {
		return false
	}
	p.out = append(p.out, '{')
	empty := true
	for more := !p.next('}'); more; more = !p.next('}') {
		key, ok := p.key()
		if !ok {
			return false
		}
		inner, wanted := keep[string(key)]
		switch {
		case !wanted:
			ok = p.skip()
		default:
			if !empty {
				p.out = append(p.out, ',')
			}
			empty = false
			p.out = append(append(append(p.out, '"'), key...), '"', ':')
			ok = p.value(inner)
		}
		if !ok || !p.next(',') && (p.blank() == len(p.text) || p.text[p.at] != '}') {
			return false
		}
	}
	p.out = append(p.out, '}')
	return true
}

// key passes over a key and its colon. A key that is written with escapes might be one that is read: the decoder will know.
func (p *projection) key() (key []byte, ok bool) {
	if p.blank() == len(p.text) || p.text[p.at] != '"' {
		return nil, false
	}
	from := p.at + 1
	if !p.skipString() {
		return nil, false
	}
	key = p.text[from : p.at-1]
	return key, bytes.IndexByte(key, '\\') < 0 && p.next(':')
}

// skip passes over a value by counting brackets.
func (p *projection) skip() bool {
	depth := 0
	for p.blank() < len(p.text) {
		switch p.text[p.at] {
		case '"':
			if !p.skipString() {
				return false
			}
		case '{', '[':
			depth++
			p.at++
		case '}', ']':
			depth--
			p.at++
		case ',', ':':
			if depth == 0 {
				return false // a value was expected
			}
			p.at++
			continue
		default:
			p.skipWord()
		}
		if depth <= 0 {
			return depth == 0
		}
	}
	return false
}

// skipString passes over a string: to the first quote that no backslash escapes.
func (p *projection) skipString() bool {
	for p.at++; p.at < len(p.text); p.at++ {
		end := bytes.IndexByte(p.text[p.at:], '"')
		if end < 0 {
			return false
		}
		p.at += end
		slashes := 0
		for p.text[p.at-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			p.at++
			return true
		}
	}
	return false
}

// skipWord passes over a number, true, false or null.
func (p *projection) skipWord() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ',', ':', '{', '}', '[', ']', '"', ' ', '\n', '\t', '\r':
			return
		}
		p.at++
	}
}
