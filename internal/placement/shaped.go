package placement

// JudgeShaped judges a pod as it will be once [Shape] has given it what it lacks, without making that pod: whoever shapes
// and judges in one go asks only the rules that shaping cannot mend. Tests hold it equal to [Judge] of the pod really patched.
func JudgeShaped(c Case) Verdict {
	if !c.Owed.Owes() {
		return verdictOf(nil)
	}
	return verdictOf(append(c.unmendable(), c.uncountable()...))
}

// unmendable asks the rules that shaping cannot mend.
func (c Case) unmendable() []Denial {
	var denials []Denial
	for _, r := range Rules() {
		if r.Template {
			denials = append(denials, r.Judge(c)...)
		}
	}
	return denials
}

// uncountable denies the pods whose workload label shaping cannot help: those that bring another value, and those without a
// controller and without a name that can be a label value, whom nothing can count. The API server refuses such names, too.
func (c Case) uncountable() []Denial {
	if len(c.Owed.Levels) == 0 {
		return nil
	}
	if c.Pod.hasWorkloadLabel() && !c.Pod.workloadLabelRight() {
		return []Denial{c.wrongWorkload()}
	}
	if c.Pod.workload() != "" {
		return nil
	}
	return []Denial{{Rule: "workload", Field: "metadata.name", Message: "the pod has neither a controller nor a valid name by which its spread could count it; give it a name"}}
}
