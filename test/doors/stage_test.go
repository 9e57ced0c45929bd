package doors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// theatre is what all stages share.
type theatre struct {
	cluster *cluster.Cluster
	// admin is the administrator's client.
	admin client.Client

	mu      sync.Mutex
	clients map[string]client.Client
	// grounds are the namespaces that are made, or being made, by name.
	grounds map[string]func() error
}

func newTheatre(c *cluster.Cluster) (*theatre, error) {
	admin, err := terroir.Client(c)
	if err != nil {
		return nil, err
	}
	return &theatre{cluster: c, admin: admin, clients: map[string]client.Client{}, grounds: map[string]func() error{}}, nil
}

func (th *theatre) stage(p *play, during phase) *stage {
	return &stage{theatre: th, play: p, phase: during}
}

// stage is what one variant plays on in one phase: a namespace and a node of its own, by names that nobody else uses.
type stage struct {
	*theatre
	play  *play
	phase phase
}

func (s *stage) name() string { return fmt.Sprintf("%s-p%d", s.play.name(), s.phase) }
func (s *stage) node() string { return s.name() }

// namespace is the stage's own, or the one that it shares with others.
func (s *stage) namespace() string {
	if s.play.variant == nil || s.play.variant.Ground == "" {
		return s.name()
	}
	return fmt.Sprintf("d%02d-%s-p%d", s.play.door.Number, s.play.variant.Ground, s.phase)
}

// actor is a client that acts as whoever tries the variant.
func (s *stage) actor() client.Client { return s.as(s.play.variant.By) }

func (s *stage) as(w who) client.Client {
	name, groups := w.user(s)
	made, err := s.clientFor(name, groups)
	if err != nil {
		panic(err) // a configuration that worked for the administrator
	}
	return made
}

func (th *theatre) clientFor(name string, groups []string) (client.Client, error) {
	th.mu.Lock()
	defer th.mu.Unlock()
	if made, ok := th.clients[name]; ok {
		return made, nil
	}
	config := th.cluster.Config()
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: append(groups, "system:authenticated")}
	made, err := client.New(config, client.Options{Scheme: th.admin.Scheme(), Mapper: th.admin.RESTMapper()})
	if err == nil {
		th.clients[name] = made
	}
	return made, err
}

// once does something to the stage's namespace that is done once, however many stages share it.
func (s *stage) once(do func() error) error {
	s.mu.Lock()
	made, known := s.grounds[s.namespace()]
	if !known {
		made = sync.OnceValue(do)
		s.grounds[s.namespace()] = made
	}
	s.mu.Unlock()
	return made()
}

// fill replaces $name, $namespace and $node in YAML, and $phase.
func (s *stage) fill(text string) string {
	return strings.NewReplacer("$namespace", s.namespace(), "$name", s.name(), "$node", s.node(), "$phase", fmt.Sprintf("p%d", s.phase)).Replace(text)
}

// create creates everything in YAML as somebody, and stops at the first error.
func (s *stage) create(ctx context.Context, as client.Client, text string, options ...client.CreateOption) error {
	all, err := terroir.Objects([]byte(s.fill(text)))
	if err != nil {
		return broken{err}
	}
	for _, o := range all {
		if err := as.Create(ctx, o, options...); err != nil {
			return fmt.Errorf("creating %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

// prepare creates as administrator. What is there already may stay.
func (s *stage) prepare(ctx context.Context, text string) error {
	return s.create(ctx, s.admin, text)
}

// scene is a way to set a stage, made of several.
func scene(parts ...func(context.Context, *stage) error) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		for _, part := range parts {
			if err := part(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
}

// given creates what YAML says, as administrator.
func given(text string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error { return s.prepare(ctx, text) }
}

// exists tells whether an object is there, and fills it.
func (s *stage) exists(ctx context.Context, o client.Object, namespace, name string) (bool, error) {
	err := s.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, broken{err}
	}
	return true, nil
}

// pod reads a pod of the stage's namespace.
func (s *stage) pod(ctx context.Context, name string) (*corev1.Pod, error) {
	var p corev1.Pod
	if err := s.admin.Get(ctx, client.ObjectKey{Namespace: s.namespace(), Name: name}, &p); err != nil {
		return nil, broken{fmt.Errorf("reading pod %s: %w", name, err)}
	}
	return &p, nil
}

// settled waits until the scheduler has said its word about a pod: where it goes, or that it goes nowhere.
func (s *stage) settled(ctx context.Context, name string) (node string, err error) {
	err = eventually(ctx, func() error {
		p, err := s.pod(ctx, name)
		if err != nil {
			return err
		}
		node = p.Spec.NodeName
		if node == "" && !unschedulable(p) {
			return fmt.Errorf("nobody has said a word about pod %s", name)
		}
		return nil
	})
	if err != nil {
		return "", broken{err}
	}
	return node, nil
}

func unschedulable(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return true
		}
	}
	return false
}

// bound waits until a pod is bound, and gives its node.
func (s *stage) bound(ctx context.Context, name string) (node string, err error) {
	err = eventually(ctx, func() error {
		p, err := s.pod(ctx, name)
		if err != nil {
			return err
		}
		if node = p.Spec.NodeName; node == "" {
			return fmt.Errorf("pod %s is not bound: %+v", name, p.Status.Conditions)
		}
		return nil
	})
	return node, err
}

// lands tells whether a pod goes to the unqualified node.
func (s *stage) lands(ctx context.Context, name string) (effect, error) {
	node, err := s.settled(ctx, name)
	return effect(node == abroad), err
}

// patient waits until a try has had its effect, or something says that it will not; then it gives that as the refusal.
func patient(ctx context.Context, check func() (done bool, e effect, refusal error)) (effect, error) {
	var e effect
	var refusal error
	err := eventually(ctx, func() error {
		var done bool
		if done, e, refusal = check(); !done {
			return errors.New("it neither happened nor was refused")
		}
		return nil
	})
	if err != nil {
		return mishap("%w", err)
	}
	return e, refusal
}
