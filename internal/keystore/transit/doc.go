// Package transit asks stores of type transit.
package transit
