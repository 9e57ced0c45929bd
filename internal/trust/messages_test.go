package trust

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestMessages keeps what people read, byte by byte: the world of the tests, and one in which much is wrong.
func TestMessages(t *testing.T) {
	var b strings.Builder
	tell(&b, "a sound catalogue", world())
	tell(&b, "a catalogue in which much is wrong", troubled())
	path := filepath.Join("testdata", "messages.golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("messages changed; if they should, run go test ./internal/trust -run TestMessages -update (-want +got):\n%s", diff)
	}
}

func tell(b *strings.Builder, title string, o Objects) {
	c := Compile(o)
	v := c.At(now)
	fmt.Fprintf(b, "# %s\n\n## problems\n", title)
	for _, p := range c.Problems() {
		fmt.Fprintf(b, "%s %s, %s\n  %s: %s\n", p.Kind, p.Name, p.Field, p.Reason, p.Message)
	}
	fmt.Fprint(b, "\n## zones\n")
	for _, z := range v.Zones() {
		for _, s := range z.Standings {
			fmt.Fprintf(b, "%v %s: %s\n", s.Worth, s.Reason, s.Message)
			for _, w := range s.Warnings {
				fmt.Fprintf(b, "  warning: %s\n", w)
			}
		}
	}
	fmt.Fprint(b, "\n## qualifications\n")
	for _, q := range c.qualifications {
		validity := v.Qualification(q.name)
		fmt.Fprintf(b, "%s %s: %s\n", q.name, validity.Reason, validity.Message)
	}
	fmt.Fprint(b, "\n## nodes\n")
	for _, n := range strangers() {
		a := v.Assess(n)
		fmt.Fprintf(b, "%v %s: %s\n", a.State, a.Reason, a.Message)
		for _, s := range a.Standings {
			if s.Reason == EvidenceTooWeak {
				fmt.Fprintf(b, "  %s\n", s.Message)
			}
		}
	}
	fmt.Fprint(b, "\n")
}

func strangers() []NodeFacts {
	const zone = "topology.kubernetes.io/zone"
	oks := "aws:///cloudgouv-eu-west-1a/i-7"
	recorded := func(zoneValue string) map[string]string {
		return map[string]string{
			zone: zoneValue, v1alpha1.ZoneLabel: "oks-a", v1alpha1.MachineLabel: machine{digest("m"), none, digest(oks)}.String(),
			v1alpha1.SeenLabelPrefix + digest(zone): digest("cloudgouv-eu-west-1a"), v1alpha1.SeenLabelPrefix + csiDriverSeen: digest("bsu.csi.outscale.com"),
		}
	}
	london := map[string]string{regionLabel: "eu-west-2", zone: "eu-west-2a"}
	return []NodeFacts{
		{Name: "plain"},
		{Name: "labelled", Labels: map[string]string{zone: "par-1"}},
		{Name: "outscale", ProviderID: "aws:///eu-west-2a/i-1", CSIDrivers: []string{"bsu.csi.outscale.com"}, Labels: london},
		{Name: "london", ProviderID: "aws:///eu-west-2a/i-2", CSIDrivers: []string{"ebs.csi.aws.com"}, Labels: london},
		{Name: "either", ProviderID: "aws:///eu-west-2a/i-3", Labels: london},
		{Name: "elsewhere", ProviderID: "scaleway://instance/nl-ams-1/x"},
		{Name: "half", ProviderID: "aws:///cloudgouv-eu-west-1a/i-4", CSIDrivers: []string{"bsu.csi.outscale.com"}},
		{Name: "restarting", ProviderID: "aws:///cloudgouv-eu-west-1a/i-5", Labels: map[string]string{zone: "cloudgouv-eu-west-1a", v1alpha1.ZoneLabel: "oks-a"}},
		{Name: "gone", ProviderID: "aws:///cloudgouv-eu-west-1a/i-5", Labels: map[string]string{zone: "cloudgouv-eu-west-1a", v1alpha1.ZoneLabel: "oks-a", v1alpha1.SuspectSinceLabel: "20261123T114500Z"}},
		{Name: "moved", ProviderID: "aws:///cloudgouv-eu-west-1b/i-6", Labels: map[string]string{zone: "cloudgouv-eu-west-1b", v1alpha1.ZoneLabel: "oks-a"}},
		{Name: "azure", ProviderID: "azure:///subscriptions/1", Labels: map[string]string{regionLabel: "westeurope"}},
		{Name: "bleu-or-azure", ProviderID: "azure:///subscriptions/1"},
		stampedBy(NodeFacts{Name: "own-word", ProviderID: "scaleway://instance/fr-par-1/x"}, selfMade),
		stampedBy(NodeFacts{Name: "vouched", ProviderID: "scaleway://instance/fr-par-1/x"}, vouched),
		{Name: "relabelled", ProviderID: oks, MachineID: "m", CSIDrivers: []string{"bsu.csi.outscale.com"}, Labels: recorded("nowhere")},
		{Name: "in-paris-now", ProviderID: oks, MachineID: "m", Labels: recorded("par-1")},
		{Name: "swapped", ProviderID: oks, MachineID: "x", Labels: recorded("cloudgouv-eu-west-1a")},
		{
			Name: "robbed", ProviderID: oks, MachineID: "m", CSIDrivers: []string{"bsu.csi.outscale.com"}, Labels: recorded("cloudgouv-eu-west-1a"),
			Request: &CertificateRequest{Name: "csr-1", Requester: "system:bootstrap:abcdef", At: now},
		},
		with(
			NodeFacts{Name: "robbed-long-ago", ProviderID: oks, MachineID: "m", CSIDrivers: []string{"bsu.csi.outscale.com"}, Labels: recorded("cloudgouv-eu-west-1a")},
			label{v1alpha1.ContestedLabel, "20261123T114500Z"},
		),
		{Name: "double", ProviderID: "scaleway://instance/fr-par-1/y", SameProviderID: Rival{Name: "other", Known: true}},
	}
}

func troubled() Objects {
	o := world()
	withC5(&o)
	o.framework("c5-2020").Lifecycle, o.framework("c5-2020").AcceptUntil = v1alpha1.LifecycleSuperseded, when("2026-12-24T00:00:00Z")
	o.framework("ens").Levels[0].Include = []v1alpha1.Term{"alta"}
	o.offer("outscale", 1).Subcontractors = []v1alpha1.Subcontractor{{Name: "IBM", Country: "US"}}
	o.offer("numspot", 0).HostedOn[0].Offer = "iass"
	o.zone("fr-par-1").Offer = "kapsul"
	o.zone("bleu-1").Country = "UK"
	o.qualification("scaleway-kapsule").Levels = []v1alpha1.Term{"qualifed"}
	o.Zones = append(o.Zones,
		v1alpha1.Zone{ObjectMeta: named("numspot-a"), Spec: v1alpha1.ZoneSpec{Country: "FR", Provider: "numspot", Offer: "kubernetes", Recognition: onLabel("numspot-a")}},
		v1alpha1.Zone{ObjectMeta: named("rack"), Spec: v1alpha1.ZoneSpec{Country: "FR", Site: "paris-1", Recognition: onPrefix("scaleway://instance/fr-par-1")}},
		v1alpha1.Zone{ObjectMeta: named("twice"), Spec: v1alpha1.ZoneSpec{Country: "FR", Provider: "aws", Offer: "ec2", Recognition: onLabel("par-1")}},
	)
	sovereign := accepts("", snc(orUnderlying), c5("8760h")).Spec
	sovereign.SeatIn, sovereign.AdministrationFrom, sovereign.NotExposedTo = []v1alpha1.Territory{"EU"}, []v1alpha1.Territory{"FR", "DE"}, []v1alpha1.Term{"US-CLOUD-Act"}
	careful := accepts("", snc()).Spec
	careful.MaxEvidenceAge, careful.StaleEvidence = duration("24h"), v1alpha1.StaleEvidenceHold
	wary := accepts("", snc(), c5("8760h")).Spec
	wary.MaxEvidenceAge = duration("24h")
	seen := v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR"}, NodeEvidence: v1alpha1.NodeEvidenceCorroborated}
	o.TrustLevels = append(o.TrustLevels,
		v1alpha1.TrustLevel{ObjectMeta: named("seen"), Spec: seen},
		v1alpha1.TrustLevel{ObjectMeta: named("sovereign"), Spec: sovereign},
		v1alpha1.TrustLevel{ObjectMeta: named("careful"), Spec: careful},
		v1alpha1.TrustLevel{ObjectMeta: named("wary"), Spec: wary},
		accepts("c5", c5("8760h")),
		accepts("misspelt", v1alpha1.Alternative{Framework: "secnumcloud3.2", Levels: []v1alpha1.Term{"qualified"}}),
		v1alpha1.TrustLevel{ObjectMeta: named("empty")},
		v1alpha1.TrustLevel{ObjectMeta: named("supported"), Spec: v1alpha1.TrustLevelSpec{SupportFrom: []v1alpha1.Territory{"DE"}}},
	)
	return o
}
