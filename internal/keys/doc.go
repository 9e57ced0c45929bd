// Package keys answers the question: is a key what it must be, and until when?
//
// [Compile] reads an EncryptionKey and its KeyStore. Asked with what observers saw of it, and with the time, [Key.Judge] gives a
// [Verdict]: a phase, the facts with how each is known, and until when the proof lasts. Observers see, this package judges.
//
// What nobody can tell is Unknown, which lets nothing new begin and takes nothing away: a lease that was earned lives on. What a store says
// for certain against a key (destroyed, deactivated, compromised, expired, replaced) ends the lease at once, and stands until the store
// says otherwise.
//
// Several observers are one judgement: of their definite words the worst counts, and a fact is known only as well as the observer knows it
// who knows it worst. What is declared of the store counts where an observer saw nothing better.
//
// A key of a store of type Declared is looked at by nobody. It is Verified only if its requirements ask nothing that nobody can tell: every algorithm, at
// least one bit, extractable Allowed, origin Any. All that is known of it is Declared, and policies see that; it has no lease, since nobody proved
// anything that could lapse.
package keys
