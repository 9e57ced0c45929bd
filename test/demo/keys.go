package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/packages"
	"github.com/terroir-dev/terroir/test/provisioner"
	"github.com/terroir-dev/terroir/test/softhsm"
	"github.com/terroir-dev/terroir/test/terroir"
	"github.com/terroir-dev/terroir/test/transit"
)

const (
	pharmacy = "pharmacy"
	theKey   = "health-kek"
	leaky    = "leaky-kek"
	software = "software-kek"
)

// keys has a StatefulSet wait for its key.
func (s *story) keys(ctx context.Context) error {
	if err := packages.Ensure(ctx, os.Stderr, "the chapter about keys", softhsm.Needed()...); err != nil {
		s.say("This chapter is not played: %v", err)
		s.left = append(s.left, "the chapter about keys was not played, for want of packages")
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bao, err := terroir.StartBao(s.cluster)
	if err != nil {
		return err
	}
	defer func() { _ = bao.Close() }()
	token, err := s.stores(ctx, bao)
	if err != nil {
		return err
	}
	go provisioner.Run(ctx, s.Client)
	for _, part := range []func(context.Context, *softhsm.Token) error{s.waitsForKey, s.keyIsMade, s.keysRefused, s.keyIsDestroyed, s.wrongPIN} {
		if err := part(ctx, token); err != nil {
			return err
		}
	}
	return s.forgetBao(ctx)
}

// keyObjects are the stores, the keys and the classes; $bao is the address of the transit server.
const keyObjects = `
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: paris-hsm}
spec:
  type: PKCS11
  pkcs11: {module: ` + softhsm.Module + `, tokenLabel: sov-par1}
  credentialsSecretRef: {name: paris-hsm-pin}
  probe: {interval: 2s, roundTripInterval: 2s, timeout: 1500ms}
  declared: {custody: Customer, protection: HSM, zones: {home: [cloudgouv-eu-west-1a]}}
---
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: bao}
spec:
  type: Transit
  transit: {address: "$bao"}
  tls: {caSecretRef: {name: bao-ca}}
  credentialsSecretRef: {name: bao-token}
  probe: {interval: 2s, roundTripInterval: 2s, timeout: 1500ms}
  declared: {custody: Customer, protection: HSM, zones: {home: [cloudgouv-eu-west-1a]}}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: encrypted-health-data}
spec:
  namespaceSelector: {matchLabels: {data-class: prescriptions}}
  trustLevels: [secnumcloud]
  enforcement: Enforce
  nodeLocalStorage: Deny
  encryption: {protection: HSM, custody: [Customer], evidence: {nonExtractable: Reported, origin: Reported}}
`

// keyObject is a key with the class whose volumes are under it, a fictitious driver's.
const keyObject = `
apiVersion: terroir.dev/v1alpha1
kind: EncryptionKey
metadata: {name: $key}
spec:
  store: $store
  ref: {$ref}
  storage: [{driver: block-storage.csi.stackit.cloud, keyID: fictitious-$key}]
  namespaceSelector: {matchLabels: {data-class: prescriptions}}
  requirements: {extractable: $extractable}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: under-$key}
provisioner: block-storage.csi.stackit.cloud
parameters: {type: premium, encrypted: "true", kmsKeyID: fictitious-$key, kmsKeyringID: ring, kmsKeyVersion: "1", kmsServiceAccount: terroir@example.org}
volumeBindingMode: WaitForFirstConsumer
`

// stores introduces an HSM, played by SoftHSM2, and a transit server, played by one of ours; and who asks them.
func (s *story) stores(ctx context.Context, bao *terroir.Bao) (*softhsm.Token, error) {
	token, err := softhsm.New(ctx, filepath.Join(s.cluster.Dir(), "softhsm"), "sov-par1", "4711")
	if err != nil {
		return nil, fmt.Errorf("making a token: %w", err)
	}
	err = errors.Join(
		bao.Create(software, transit.Key{Type: transit.AES256}),
		s.create(ctx, terroir.Secret("paris-hsm-pin", "pin", token.PIN)),
		s.write(ctx, strings.ReplaceAll(keyObjects, "$bao", bao.Address())),
		s.write(ctx, keyed(theKey, "paris-hsm", "pkcs11: {label: "+theKey+"}", "Forbidden")),
		s.write(ctx, keyed(leaky, "paris-hsm", "pkcs11: {label: "+leaky+"}", "Forbidden")),
		s.write(ctx, keyed(software, "bao", "transit: {key: "+software+"}", "ForbiddenNow")),
		terroir.Apply(ctx, s.cluster, "-k", "config/keyprobe/rbac"),
	)
	for _, secret := range bao.Secrets() {
		err = errors.Join(err, s.create(ctx, secret))
	}
	if err != nil {
		return nil, err
	}
	s.say("KeyStore paris-hsm is an HSM (played by SoftHSM2), asked by the agent keyprobe; KeyStore bao is a transit server, asked by the operator. "+
		"Policy encrypted-health-data demands of namespace %s keys in an HSM, in the customer's custody.", pharmacy)
	agent := terroir.Agent{Observer: v1alpha1.AgentObserver, Modules: []string{softhsm.Module}, Environment: []string{token.Environment()}}
	return token, terroir.StartAgent(ctx, s.cluster, agent)
}

func keyed(key, store, ref, extractable string) string {
	return strings.NewReplacer("$key", key, "$store", store, "$ref", ref, "$extractable", extractable).Replace(keyObject)
}

// write creates the objects of YAML.
func (s *story) write(ctx context.Context, text string) error {
	found, err := terroir.Objects([]byte(text))
	for _, o := range found {
		err = errors.Join(err, s.create(ctx, o))
	}
	return err
}

// waitsForKey has a StatefulSet wait for a key that is not made yet.
func (s *story) waitsForKey(ctx context.Context, _ *softhsm.Token) error {
	if err := s.create(ctx, namespace(pharmacy, map[string]string{"data-class": "prescriptions"})); err != nil {
		return err
	}
	// A policy that was created a moment ago does not mark namespaces in the request that creates them yet: see its condition Ready.
	err := await(ctx, "namespace "+pharmacy+" owes encryption", func(ctx context.Context) error {
		n := namespace(pharmacy, nil)
		if err := s.get(ctx, n); err != nil {
			return err
		}
		if n.Labels[v1alpha1.GovernedLabel] != "true" || n.Labels[v1alpha1.EncryptedLabel] != "true" {
			return fmt.Errorf("its labels are %v", n.Labels)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.create(ctx, database("prescriptions", theKey)); err != nil {
		return err
	}
	return s.waits(ctx, "StatefulSet "+pharmacy+"/prescriptions waits for a key that is not in the HSM yet, and its pod says so", "prescriptions", theKey, "NotFound")
}

// keyIsMade: the security officer makes the key, and the pod starts.
func (s *story) keyIsMade(ctx context.Context, token *softhsm.Token) error {
	if err := token.Generate(ctx, softhsm.Key{Label: theKey, ID: 1}); err != nil {
		return fmt.Errorf("making the key: %w", err)
	}
	s.say("pkcs11-tool --keygen --key-type AES:32 --label %s --sensitive --private", theKey)
	if err := s.keyIs(ctx, theKey, v1alpha1.PhaseVerified, "the key is found, tried, and Verified"); err != nil {
		return err
	}
	return s.holds(ctx, "the pod's gate is lifted, and it runs on qualified ground", func(ctx context.Context) error {
		_, err := s.running(ctx, pharmacy, "prescriptions", 1, secnumcloud)
		return err
	})
}

// keysRefused tries an extractable key, and one in software.
func (s *story) keysRefused(ctx context.Context, token *softhsm.Token) error {
	if err := token.Generate(ctx, softhsm.Key{Label: leaky, ID: 2, Extractable: true}); err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	if err := s.keyIs(ctx, leaky, v1alpha1.PhaseUnverified, "a key in the HSM that may leave it is not Verified"); err != nil {
		return err
	}
	if err := s.create(ctx, database("copies", leaky), database("archive", software)); err != nil {
		return err
	}
	if err := s.waits(ctx, "a StatefulSet under it waits, with the reason", "copies", leaky, "extract"); err != nil {
		return err
	}
	return s.waits(ctx, "a StatefulSet under a key in software waits, whatever was declared of its store", "archive", software, "Software", "HSM")
}

// keyIsDestroyed: the status says so, and what runs is not touched.
func (s *story) keyIsDestroyed(ctx context.Context, token *softhsm.Token) error {
	if err := token.Destroy(ctx, theKey); err != nil {
		return fmt.Errorf("destroying the key: %w", err)
	}
	if err := s.keyIs(ctx, theKey, v1alpha1.PhaseDestroyed, "the key is destroyed in the HSM, and its status says so"); err != nil {
		return err
	}
	return s.holds(ctx, "the pod that runs is told, and not touched: policy encrypted-health-data counts KeyRevoked", func(ctx context.Context) error {
		p := &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "encrypted-health-data"}}
		if err := s.get(ctx, p); err != nil {
			return err
		}
		for _, r := range p.Status.Reasons {
			if r.Reason == v1alpha1.KeyRevoked {
				_, err := s.running(ctx, pharmacy, "prescriptions", 1, secnumcloud)
				return err
			}
		}
		return fmt.Errorf("its reasons are %v", p.Status.Reasons)
	})
}

// wrongPIN writes a wrong PIN, and starts the agent again and again.
func (s *story) wrongPIN(ctx context.Context, _ *softhsm.Token) error {
	wrong := terroir.Secret("paris-hsm-pin", "pin", "0000")
	if err := s.Update(ctx, wrong); err != nil {
		return fmt.Errorf("writing a wrong PIN: %w", err)
	}
	var tried v1alpha1.KeyStoreLogin
	err := s.holds(ctx, "a wrong PIN is tried, and refused by the HSM", func(ctx context.Context) (err error) {
		tried, err = s.failedLogin(ctx)
		return err
	})
	if err != nil {
		return err
	}
	agent := terroir.Agent{Observer: v1alpha1.AgentObserver}.Component()
	for range 2 {
		if err := errors.Join(s.cluster.StopComponent(agent), s.cluster.StartComponent(ctx, agent)); err != nil {
			return fmt.Errorf("starting the agent again: %w", err)
		}
	}
	if err := s.write(ctx, keyed("another-kek", "paris-hsm", "pkcs11: {label: another-kek}", "Forbidden")); err != nil {
		return err
	}
	return s.holds(ctx, "the agent is killed twice, comes back, asks again, and does not try that PIN a second time", func(ctx context.Context) error {
		seen := &v1alpha1.KeyObservation{ObjectMeta: metav1.ObjectMeta{Name: "another-kek." + v1alpha1.AgentObserver}}
		if err := s.get(ctx, seen); err != nil {
			return err
		}
		switch again, err := s.failedLogin(ctx); {
		case err != nil:
			return err
		case !again.At.Equal(&tried.At):
			return fmt.Errorf("it was tried at %s and at %s", tried.At, again.At)
		case seen.Spec.Outcome != v1alpha1.OutcomeUnauthenticated:
			return fmt.Errorf("what was seen is %+v", seen.Spec)
		}
		return nil
	})
}

func (s *story) failedLogin(ctx context.Context) (v1alpha1.KeyStoreLogin, error) {
	store := &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: "paris-hsm"}}
	if err := s.get(ctx, store); err != nil {
		return v1alpha1.KeyStoreLogin{}, err
	}
	if l := store.Status.Login; l == nil || l.State != v1alpha1.LoginFailed {
		return v1alpha1.KeyStoreLogin{}, fmt.Errorf("the login is %+v", l)
	}
	return *store.Status.Login, nil
}

// forgetBao takes the transit server out, which ends with the story.
func (s *story) forgetBao(ctx context.Context) error {
	archive := database("archive", software)
	k, store := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: software}}, &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: "bao"}}
	return s.remove(ctx, archive, k, store)
}

// keyIs waits until a key is in a phase, and repeats what its condition says.
func (s *story) keyIs(ctx context.Context, name string, phase v1alpha1.KeyPhase, what string) error {
	k := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err := s.holds(ctx, what+":", func(ctx context.Context) error {
		if err := s.get(ctx, k); err != nil {
			return err
		}
		if k.Status.Phase != phase {
			return fmt.Errorf("it is %s: %s", k.Status.Phase, message(k.Status.Conditions, v1alpha1.ConditionReady))
		}
		return nil
	})
	if err == nil {
		s.quote(message(k.Status.Conditions, v1alpha1.ConditionReady))
	}
	return err
}

// waits sees that the pod of a StatefulSet stands behind its gate, and repeats what its condition says.
func (s *story) waits(ctx context.Context, what, name string, words ...string) error {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pharmacy, Name: name + "-0"}}
	told := ""
	err := s.holds(ctx, what+":", func(ctx context.Context) error {
		if err := s.get(ctx, p); err != nil {
			return err
		}
		told = ""
		for _, c := range p.Status.Conditions {
			if c.Type == v1alpha1.EncryptionProvenCondition {
				told = c.Message
			}
		}
		if len(p.Spec.SchedulingGates) != 1 || p.Spec.SchedulingGates[0].Name != v1alpha1.EncryptionGate || !contains(told, words) {
			return fmt.Errorf("it has the gates %v, and its condition says %q", p.Spec.SchedulingGates, told)
		}
		return nil
	})
	if err == nil {
		s.quote(told)
	}
	return err
}

// database is a StatefulSet of one pod, with a claim of the class under a key.
func database(name, key string) *appsv1.StatefulSet {
	t := template(name)
	t.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: new("under-" + key),
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: pharmacy, Name: name},
		Spec: appsv1.StatefulSetSpec{
			ServiceName: name, Replicas: new(int32(1)), Selector: selector(name), Template: t, VolumeClaimTemplates: []corev1.PersistentVolumeClaim{claim},
		},
	}
}
