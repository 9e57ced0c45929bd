// Package storage tells of a volume what the cluster can know of it: where its data lies, and which key protects it.
//
// Where it lies is the word of whoever made the PersistentVolume, a provisioner as a rule: from which nodes the volume is reached ([Of] reads
// its node affinity, or else its zone and region labels, as the scheduler does). What a volume is reached from is taken for
// where it lies. A volume may lie in several [Place]s, and whoever asks whether a volume lies on qualified ground
// must ask it of every one of them. A volume that says nothing has no place, and nothing is true of it.
//
// Which key protects it is the word of its StorageClass, in the language of its CSI driver. [OfClass] reads it by one resolver for each driver, in a
// file of its own with its law on top, and gives a [Protection]: how, under which key, and what there is to say of it; [OfClaim] minds besides what a claim may
// override. The word of a class is not yet a volume: [Digest] tells a class from its successors, [Verify] compares a volume that is
// there with what was promised, and [Lineage] finds the claims whose keys it has inherited. Whatever cannot be told is Unknown, with a sentence that
// says why. Whether the key is what it must be is for package keys.
package storage
