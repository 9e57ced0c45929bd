package storage

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Where Ceph's drivers find what the id of a KMS means.
const (
	// cephConfig is the ConfigMap that deployments and charts of ceph-csi mount: JSON under one key, an object for each id.
	cephConfig     = "ceph-csi-encryption-kms-config"
	cephConfigFile = "config.json"
	// cephConnections is the ConfigMap that the driver reads where nothing is mounted, as with Rook: JSON under each id.
	cephConnections = "csi-kms-connection-details"
)

// connection is what a driver of Ceph knows of one KMS. Names are spelt exactly so, as the driver reads them: it is no Go struct, because encoding/json would
// take other spellings for the same field.
type connection map[string]any

// connections are what the ConfigMaps say of a KMS; an entry that is no object is a connection of which nothing is known.
func (r request) connections(id string) []connection {
	var found []connection
	if text, has := r.configMap(cephConfig)[cephConfigFile]; has {
		if c, has := connectionIn(text, id); has {
			found = append(found, c)
		}
	}
	if text, has := r.configMap(cephConnections)[id]; has {
		found = append(found, parseConnection([]byte(text)))
	}
	return found
}

// connectionIn finds what a config.json says of a KMS. What is no JSON says nothing of any.
func connectionIn(text, id string) (connection, bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &all) != nil {
		return nil, false
	}
	section, has := all[id]
	if !has {
		return nil, false
	}
	return parseConnection(section), true
}

// parseConnection reads one connection; nil if it is no JSON object.
func parseConnection(text []byte) connection {
	var c connection
	if json.Unmarshal(text, &c) != nil {
		return nil
	}
	return c
}

// kind is the type of a KMS: encryptionKMSType, or else KMS_PROVIDER.
func (c connection) kind() (string, error) {
	for _, name := range []string{"encryptionKMSType", "KMS_PROVIDER"} {
		value, has, err := c.text(name)
		if has || err != nil {
			return value, err
		}
	}
	return "", errors.New("it gives neither encryptionKMSType nor KMS_PROVIDER")
}

// text gives an option that has to be a string.
func (c connection) text(name string) (value string, has bool, err error) {
	option, has := c[name]
	if !has {
		return "", false, nil
	}
	value, is := option.(string)
	if !is {
		return "", true, fmt.Errorf("%s is no string", name)
	}
	return value, true, nil
}
