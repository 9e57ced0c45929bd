// Package storage tells of a volume what the cluster can know of it: where its data lies.
//
// That is the word of whoever made the PersistentVolume, a provisioner as a rule: from which nodes the volume is reached ([Of] reads
// its node affinity, or else its zone and region labels, as the scheduler does). What a volume is reached from is taken for
// where it lies. A volume may lie in several [Place]s, and whoever asks whether a volume lies on qualified ground
// must ask it of every one of them. A volume that says nothing has no place, and nothing is true of it.
package storage
