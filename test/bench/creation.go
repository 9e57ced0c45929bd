package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// creation is a dry-run creation of a pod, encoded, to be sent again and again over HTTP/1.1.
type creation struct {
	client *http.Client
	url    string
	body   []byte
}

func (s *site) creationOf(namespace string, p *corev1.Pod) (creation, error) {
	body, err := encoded(p)
	if err != nil {
		return creation{}, err
	}
	return s.request(s.Config(), "/api/v1/namespaces/"+namespace+"/pods?dryRun=All", body)
}

// request is any request to create something, by whoever the configuration says.
func (s *site) request(by *rest.Config, path string, body []byte) (creation, error) {
	by.NextProtos = []string{"http/1.1"}
	client, err := rest.HTTPClientFor(by)
	if err != nil {
		return creation{}, fmt.Errorf("making a client: %w", err)
	}
	return creation{client: client, url: by.Host + path, body: body}, nil
}

// send sends the request and reads the whole answer.
func (c creation) send(ctx context.Context) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(c.body))
	if err != nil {
		return 0, nil, fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("creating: %w", err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("reading an answer: %w", err)
	}
	return response.StatusCode, answer, nil
}

// must sends, and is an error unless the object would be created.
func (c creation) must(ctx context.Context) ([]byte, error) {
	status, answer, err := c.send(ctx)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("creating at %s: status %d: %s", c.url, status, answer)
	}
	return answer, err
}

// pod is the pod as it would be stored.
func (c creation) pod(ctx context.Context) (*corev1.Pod, error) {
	answer, err := c.must(ctx)
	if err != nil {
		return nil, err
	}
	var p corev1.Pod
	if err := json.Unmarshal(answer, &p); err != nil {
		return nil, fmt.Errorf("reading a pod: %w", err)
	}
	return &p, nil
}

// refusedWith is an error unless the API server refuses with these words.
func (c creation) refusedWith(ctx context.Context, words string) error {
	status, answer, err := c.send(ctx)
	if err != nil {
		return err
	}
	if status < http.StatusBadRequest || !strings.Contains(string(answer), words) {
		return fmt.Errorf("the answer was to be a refusal with %q and is %d: %.600s", words, status, answer)
	}
	return nil
}
