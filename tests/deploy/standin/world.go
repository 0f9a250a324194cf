package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// world is the cloud as it is remembered between Terraform's calls: what exists, by id. One change at a time, over all
// processes: a container's start is slow enough that two at once would gain nothing on two cores.
type world struct {
	dir   string
	hooks hooks
}

// record is one thing that exists.
type record struct {
	Type   string     `json:"type"`
	Fields attributes `json:"fields"`
}

type records map[string]record

// hooks make a change real. A hook may fill in attributes (an address); it runs before the change is remembered.
type hooks interface {
	created(all records, resource string, fields attributes) error
	updated(all records, resource string, fields attributes) error
	deleted(all records, resource string, fields attributes) error
	// alive tells whether what was created is still there: machines die outside of Terraform.
	alive(resource string, fields attributes) (bool, error)
}

func openWorld() *world {
	w := &world{dir: os.Getenv("SHOAL_STANDIN_DIR"), hooks: remembered{}}
	if os.Getenv("SHOAL_STANDIN_CONTAINERS") == "1" {
		w.hooks = newContainers(w.dir)
	}
	return w
}

func (w *world) exists(resource string, fields attributes) (bool, error) {
	found := false
	err := w.locked(func(all records) error {
		id := text(fields["id"])
		if _, found = all[id]; !found {
			return nil
		}
		alive, err := w.hooks.alive(resource, fields)
		if err == nil && !alive {
			found = false
			delete(all, id)
		}
		return err
	})
	return found, err
}

// change creates (no prior), updates or deletes (no planned), and fills planned with what the cloud would answer.
func (w *world) change(resource string, prior, planned attributes) error {
	return w.locked(func(all records) error {
		switch {
		case planned == nil:
			return w.remove(all, resource, prior)
		case prior == nil:
			return w.create(all, resource, planned)
		default:
			return w.update(all, resource, planned)
		}
	})
}

func (w *world) create(all records, resource string, fields attributes) error {
	if err := checkReferences(all, resource, fields); err != nil {
		return err
	}
	fields["id"] = newID(resource, fields)
	if err := fillIn(all, resource, fields); err != nil {
		return err
	}
	if err := w.hooks.created(with(all, resource, fields), resource, fields); err != nil {
		return err
	}
	all[text(fields["id"])] = record{resource, fields}
	return nil
}

func (w *world) update(all records, resource string, fields attributes) error {
	if err := checkReferences(all, resource, fields); err != nil {
		return err
	}
	if _, ok := all[text(fields["id"])]; !ok {
		return fmt.Errorf("%s does not exist any more", text(fields["id"]))
	}
	if err := w.hooks.updated(with(all, resource, fields), resource, fields); err != nil {
		return err
	}
	all[text(fields["id"])] = record{resource, fields}
	return nil
}

func (w *world) remove(all records, resource string, fields attributes) error {
	id := text(fields["id"])
	if user := userOf(all, id); user != "" {
		return fmt.Errorf("%s is still used by %s", id, user)
	}
	gone, found := all[id]
	if !found {
		return nil
	}
	delete(all, id)
	if err := w.hooks.deleted(all, resource, fields); err != nil {
		all[id] = gone
		return err
	}
	return nil
}

// with is the world as it will be once the change is done: a configuration is rendered from it.
func with(all records, resource string, fields attributes) records {
	next := records{text(fields["id"]): {resource, fields}}
	for id, r := range all {
		if _, ok := next[id]; !ok {
			next[id] = r
		}
	}
	return next
}

// locked runs one change under a lock that other processes respect, on the state read from disk.
func (w *world) locked(change func(records) error) error {
	if w.dir == "" {
		return errors.New("SHOAL_STANDIN_DIR is not set: the stand-in provider has nowhere to keep its world")
	}
	lock, err := os.OpenFile(filepath.Join(w.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	all, err := w.load()
	if err != nil {
		return err
	}
	if err := change(all); err != nil {
		return err
	}
	return w.store(all)
}

func (w *world) file() string { return filepath.Join(w.dir, "world.json") }

func (w *world) load() (records, error) {
	raw, err := os.ReadFile(w.file())
	if errors.Is(err, fs.ErrNotExist) {
		return records{}, nil
	}
	if err != nil {
		return nil, err
	}
	all := records{}
	return all, json.Unmarshal(raw, &all)
}

func (w *world) store(all records) error {
	raw, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	next := w.file() + ".next"
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(next, w.file())
}

// checkReferences refuses what the API would: an id that names nothing, another kind of thing, or one in another zone.
func checkReferences(all records, resource string, fields attributes) error {
	for _, path := range sortedKeys(rules[resource].refs) {
		for _, id := range idsAt(fields, path) {
			target, ok := all[id]
			if !ok || target.Type != rules[resource].refs[path] {
				return fmt.Errorf("%s: %q names no %s", path, id, rules[resource].refs[path])
			}
			mine, theirs := text(fields["zone"]), text(target.Fields["zone"])
			// A load balancer reaches servers of its region by address; everything that names a zonal thing by id
			// must stand in that zone.
			if mine != "" && theirs != "" && mine != theirs {
				return fmt.Errorf("%s: %q is in %s, not in %s", path, id, theirs, mine)
			}
		}
	}
	if resource == "scaleway_lb_acl" && !given(all[text(fields["frontend_id"])].Fields["external_acls"]) {
		return errors.New("the frontend lacks external_acls = true: the next plan would remove this ACL")
	}
	return nil
}

func userOf(all records, id string) string {
	for _, user := range sortedKeys(all) {
		for path := range rules[all[user].Type].refs {
			for _, used := range idsAt(all[user].Fields, path) {
				if used == id {
					return all[user].Type + " " + user
				}
			}
		}
	}
	return ""
}

func idsAt(fields attributes, path string) []string {
	var out []string
	for _, leaf := range leavesByPath(fields)[path] {
		if id := text(leaf); id != "" {
			out = append(out, id)
		}
	}
	return out
}

// newID has the form of the real one's: most are zone/uuid, some region/uuid.
func newID(resource string, fields attributes) string {
	id := newUUID()
	switch resource {
	case "scaleway_iam_ssh_key":
		return id
	case "scaleway_vpc", "scaleway_vpc_private_network", "scaleway_ipam_ip":
		return text(fields["region"]) + "/" + id
	case "scaleway_lb_backend", "scaleway_lb_frontend":
		return zoneOf(text(fields["lb_id"])) + "/" + id
	case "scaleway_lb_acl":
		return zoneOf(text(fields["frontend_id"])) + "/" + id
	case "scaleway_instance_private_nic":
		return text(fields["server_id"]) + "/" + id
	case "scaleway_domain_record":
		return text(fields["dns_zone"]) + "/" + id
	default:
		return text(fields["zone"]) + "/" + id
	}
}

func zoneOf(id string) string { return strings.Split(id, "/")[0] }

func newUUID() string {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		panic(err) // the kernel's random source does not fail
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// text is a string attribute, or nothing where it is absent or not yet known.
func text(value any) string {
	s, _ := value.(string)
	return s
}

func texts(value any) []string {
	items, _ := value.([]any)
	var out []string
	for _, item := range items {
		out = append(out, text(item))
	}
	return out
}

// whole is a number, as planned or as read back from disk.
func whole(value any) int64 {
	switch v := value.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

// nested is the first block of a kind, or an empty one.
func nested(fields attributes, name string) attributes {
	items, _ := fields[name].([]any)
	if len(items) == 0 {
		return attributes{}
	}
	block, _ := items[0].(attributes)
	return block
}
