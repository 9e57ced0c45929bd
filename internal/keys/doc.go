// Package keys answers the question: is a key what it must be, and until when?
//
// [Compile] reads an EncryptionKey and its KeyStore. Asked with what observers saw of it, and with the time, [Key.Judge] gives a
// [Verdict]: a phase, the facts with how each is known, and until when the proof lasts. Observers see, this package judges.
//
// What nobody can tell is Unknown, which lets nothing new begin and takes nothing away: a lease that was earned lives on. What a store says
// for certain against a key (destroyed, deactivated, compromised, expired, replaced) ends the lease at once.
package keys
