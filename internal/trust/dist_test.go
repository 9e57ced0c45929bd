package trust
import "testing"
func TestDist(t *testing.T) {
	m := map[Reason]int{}; p := map[Reason]int{}
	for seed := range uint64(500) {
		c := Compile(seeded(seed).objects())
		for _, z := range c.At(now).Zones() { for _, s := range z.Standings { m[s.Reason]++ } }
		for _, x := range c.Problems() { p[x.Reason]++ }
	}
	t.Log(m); t.Log(p)
}
