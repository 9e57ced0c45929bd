// Package keystore asks key stores what they hold, and tells the cluster what was seen.
//
// A [Prober] asks one store; packages pkcs11, kmip and transit have one each. The [Observer] of a process opens one for each store that is its to ask,
// looks at every key once an interval, and writes a KeyObservation where something changed. That all the rest still holds it tells
// by one Lease for each store. It judges nothing: the manager does.
package keystore
