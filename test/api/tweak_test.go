package api_test

import (
	"fmt"
	"strconv"
	"strings"
)

// tweak changes one thing about an object. Paths are written as in errors, such as spec.offers[0].name.
type tweak func(object map[string]any)

// set gives a field a value. What is above it has to be there.
func set(path string, value any) tweak {
	return func(object map[string]any) {
		at(object, path).set(value)
	}
}

// without takes a field away.
func without(path string) tweak {
	return func(object map[string]any) {
		at(object, path).remove()
	}
}

// twice repeats the first entry of a list.
func twice(path string) tweak {
	return func(object map[string]any) {
		field := at(object, path)
		list := field.get().([]any)
		field.set(append(list, list[0]))
	}
}

// grown makes a list n entries long, each made from its first: a text becomes another text, an object gets another text in
// those of its fields that are named.
func grown(path string, n int, fields ...string) tweak {
	return func(object map[string]any) {
		field := at(object, path)
		list := make([]any, n)
		for i := range list {
			list[i] = another(field.get().([]any)[0], i, fields)
		}
		field.set(list)
	}
}

func another(entry any, i int, fields []string) any {
	switch entry := entry.(type) {
	case map[string]any:
		changed := map[string]any{}
		for key, value := range entry {
			changed[key] = value
		}
		for _, key := range fields {
			changed[key] = another(entry[key], i, nil)
		}
		return changed
	default:
		return fmt.Sprintf("%s%d", entry, i)
	}
}

// both makes two changes.
func both(first, second tweak) tweak {
	return func(object map[string]any) {
		first(object)
		second(object)
	}
}

// place is a field of an object, or an entry of a list in it.
type place struct {
	object map[string]any
	key    string
	index  int // -1 for the field itself
}

// at finds a place. That it is not there is a mistake in the test.
func at(object map[string]any, path string) place {
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		object = stepTo(object, step).get().(map[string]any)
	}
	return stepTo(object, steps[len(steps)-1])
}

func stepTo(object map[string]any, step string) place {
	key, index, isEntry := strings.Cut(strings.TrimSuffix(step, "]"), "[")
	if !isEntry {
		return place{object, key, -1}
	}
	i, err := strconv.Atoi(index)
	if err != nil {
		panic(err)
	}
	return place{object, key, i}
}

func (p place) get() any {
	if p.index < 0 {
		return p.object[p.key]
	}
	return p.object[p.key].([]any)[p.index]
}

func (p place) set(value any) {
	if p.index < 0 {
		p.object[p.key] = value
		return
	}
	p.object[p.key].([]any)[p.index] = value
}

func (p place) remove() { delete(p.object, p.key) }
