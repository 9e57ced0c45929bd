package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// A node's standing is bound to the machine that was first recognised under its name, and to what that machine showed. Terroir
// remembers both in labels of the Node that kubelets cannot write; they end with the Node.
//
// The machine is known by three digests. One that is recorded and now is another, or gone, makes it another machine. One that was
// not shown yet is added when it is: the cloud controller sets a providerID after the kubelet has registered.
//
// What it showed is what its Zone reads: the labels, and the CSI driver. When the node no longer matches its Zone, this tells who
// moved. If all of that is still shown, the catalogue did, and the node follows it. If not, the node did, and loses its standing
// until it shows it again or its Node is deleted. A label that its Zone does not read is not remembered and may change.

// none stands for what a machine does not show.
const none = "none"

// The parts of a machine's record, in their order.
const (
	machineIDPart = iota
	systemUUIDPart
	providerIDPart
	machineParts
)

// machineWords name the parts.
var machineWords = [machineParts]string{"machine id", "system UUID", "providerID"}

// machine is the digests of what a machine shows.
type machine [machineParts]string

// machineOf is the machine as it shows itself now.
func machineOf(n *NodeFacts) machine {
	return machine{
		machineIDPart: digestOrNone(n.MachineID), systemUUIDPart: digestOrNone(strings.ToLower(n.SystemUUID)), providerIDPart: digestOrNone(n.ProviderID),
	}
}

func (m machine) String() string { return strings.Join(m[:], ".") }

// parseMachine reads a record. False: nobody can tell which machine it was.
func parseMachine(record string) (machine, bool) {
	parts := strings.Split(record, ".")
	if len(parts) != machineParts {
		return machine{}, false
	}
	return machine(parts), true
}

func digestOrNone(word string) string {
	if word == "" {
		return none
	}
	return digest(word)
}

// digest is short enough for a label, and long enough that nobody finds another word with the same one.
func digest(word string) string {
	sum := sha256.Sum256([]byte(word))
	return hex.EncodeToString(sum[:8])
}

// csiDriverSeen is the name under which the CSI driver is remembered. No digest looks like it.
const csiDriverSeen = "csi-driver"

// compileSeen prepares what is remembered of a node of the zone: one set of labels, by name, for each CSI driver by which it may be
// recognised; under no name where the zone asks for none.
func (s *signals) compileSeen() map[string]map[string]string {
	shown := make(map[string]string, len(s.labels))
	for _, l := range s.labels {
		shown[digest(l.key)] = digest(l.value)
	}
	if len(s.drivers) == 0 {
		return map[string]map[string]string{"": shown}
	}
	seen := map[string]map[string]string{}
	for _, driver := range s.drivers {
		seen[driver] = maps.Clone(shown)
		seen[driver][csiDriverSeen] = digest(driver)
	}
	return seen
}

// seenOn is what is remembered of a node that matches the zone: of several drivers the first by name.
func (z *zone) seenOn(n *NodeFacts) map[string]string {
	if len(z.signals.drivers) == 0 {
		return z.seen[""]
	}
	for _, driver := range z.signals.drivers {
		if slices.Contains(n.CSIDrivers, driver) {
			return z.seen[driver]
		}
	}
	return nil
}

// memory is what Terroir's own labels say of a node.
type memory struct {
	zone string // where it was recognised; empty: nowhere
	// record is the machine's; recorded says that there is one. An older Terroir wrote none.
	record   string
	recorded bool
	seen     map[string]string
}

func recall(n *NodeFacts) memory {
	m := memory{zone: n.Labels[v1alpha1.ZoneLabel]}
	m.record, m.recorded = n.Labels[v1alpha1.MachineLabel]
	if m.zone == "" {
		return m
	}
	for key, value := range n.Labels {
		if name, isSeen := strings.CutPrefix(key, v1alpha1.SeenLabelPrefix); isSeen {
			if m.seen == nil {
				m.seen = map[string]string{}
			}
			m.seen[name] = value
		}
	}
	return m
}

// anotherMachine says, in words, what of the machine is not as it was recorded; empty: nothing. A record that cannot be read was not
// written by Terroir, and proves nothing.
func (m *memory) anotherMachine(is machine) string {
	if !m.recorded {
		return ""
	}
	was, readable := parseMachine(m.record)
	if !readable {
		return "the record of its machine cannot be read"
	}
	var changed []string
	for part := range was {
		switch {
		case was[part] == none || was[part] == is[part]:
		case is[part] == none:
			changed = append(changed, "its "+machineWords[part]+" is gone")
		default:
			changed = append(changed, "its "+machineWords[part]+" is another")
		}
	}
	return all(changed)
}

// recordedIn says that a part of the machine is in a record, as it is.
func (m machine) recordedIn(record string, part int) bool {
	was, readable := parseMachine(record)
	return readable && was[part] != none && was[part] == m[part]
}

// stillShown says that the node shows everything by which it was recognised in its zone. Where that zone is gone, the CSI driver does not
// matter: drivers come and go, and nobody says any more which one it should be.
func (m *memory) stillShown(n *NodeFacts, zoneExists bool) bool {
	left := len(m.seen)
	driver, asked := m.seen[csiDriverSeen]
	if asked && (!zoneExists || slices.ContainsFunc(n.CSIDrivers, func(d string) bool { return digest(d) == driver })) {
		left--
	}
	for key, value := range n.Labels {
		if was, seen := m.seen[digest(key)]; seen && was == digest(value) {
			left--
		}
	}
	return left == 0
}

// Rival is another node that shows the same machine. The zero value is none.
type Rival struct {
	// Name is the other Node's.
	Name string
	// Known says that the other one is recorded as that machine.
	Known bool
}

// WithRivals returns the nodes with each one's rivals, of all those given. It reads each node once.
func WithRivals(nodes []NodeFacts) []NodeFacts {
	out, machines := slices.Clone(nodes), make([]machine, len(nodes))
	providerIDs, systemUUIDs := claims{}, claims{}
	for i := range out {
		record := out[i].Labels[v1alpha1.MachineLabel]
		machines[i] = machineOf(&out[i])
		providerIDs.add(machines[i], providerIDPart, out[i].Name, record)
		systemUUIDs.add(machines[i], systemUUIDPart, out[i].Name, record)
	}
	for i := range out {
		out[i].SameProviderID = providerIDs.against(machines[i][providerIDPart], out[i].Name)
		out[i].SameSystemUUID = systemUUIDs.against(machines[i][systemUUIDPart], out[i].Name)
	}
	return out
}

// claims are, for each part of a machine, the two nodes that claim it with most right.
type claims map[string][2]Rival

func (c claims) add(m machine, part int, node, record string) {
	if m[part] == none {
		return
	}
	r, two := Rival{node, m.recordedIn(record, part)}, c[m[part]]
	switch {
	case r.before(two[0]):
		two[0], two[1] = r, two[0]
	case r.before(two[1]):
		two[1] = r
	}
	c[m[part]] = two
}

// before puts those first that are recorded, then by name.
func (r Rival) before(other Rival) bool {
	if other.Name == "" || r.Known != other.Known {
		return other.Name == "" || r.Known
	}
	return r.Name < other.Name
}

func (c claims) against(part, name string) Rival {
	two := c[part]
	if two[0].Name == name {
		return two[1]
	}
	return two[0]
}

// claimedTwice says, in words, that another node shows the same machine; empty: none does, or this one is recorded as that machine
// and the other is not. A system UUID counts only where the zone asks for it: many machines have one that says nothing.
func (m *memory) claimedTwice(z *zone, n *NodeFacts) string {
	for _, claim := range [...]struct {
		part   int
		rival  Rival
		counts bool
	}{{providerIDPart, n.SameProviderID, true}, {systemUUIDPart, n.SameSystemUUID, len(z.signals.uuids) > 0}} {
		if !claim.counts || claim.rival.Name == "" || (machineOf(n).recordedIn(m.record, claim.part) && !claim.rival.Known) {
			continue
		}
		return fmt.Sprintf("node %s shows the same %s; delete the Node that is not that machine", claim.rival.Name, machineWords[claim.part])
	}
	return ""
}
