package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	instanceImage = "shoal-test/instance"
	balancerImage = "shoal-test/haproxy"
	dockerTimeout = 3 * time.Minute
)

// containers makes the world real: networks are Docker's, an instance is a container, a block volume a file behind a
// loop device, the load balancer a container with HAProxy. Everything carries one label, by which a test finds and
// removes what a failed run left.
type containers struct {
	dir    string
	prefix string
}

func newContainers(dir string) *containers {
	sum := sha256.Sum256([]byte(dir))
	return &containers{dir: dir, prefix: fmt.Sprintf("standin-%x", sum[:4])}
}

// name is readable in `docker ps` and unique by the id's last part.
func (c *containers) name(kind, id string) string {
	return fmt.Sprintf("%s-%s-%s", c.prefix, kind, id[strings.LastIndex(id, "-")+1:])
}

func (c *containers) label() string { return "shoal.standin=" + c.prefix }

func (c *containers) created(all records, resource string, fields attributes) error {
	switch resource {
	case "scaleway_vpc":
		return docker("network", "create", "--label", c.label(), "--subnet", publicNetwork(), c.publicName())
	case "scaleway_vpc_private_network":
		// Internal: whatever leaves an instance leaves by its public side, as with a real private network.
		return docker("network", "create", "--internal", "--label", c.label(),
			"--subnet", text(nested(fields, "ipv4_subnet")["subnet"]), c.name("net", text(fields["id"])))
	case "scaleway_block_volume":
		return c.createVolume(fields)
	case "scaleway_instance_server":
		return c.createInstance(all, fields)
	case "scaleway_instance_private_nic":
		return c.connect(all, c.name("node", text(fields["server_id"])), text(fields["private_network_id"]),
			texts(fields["ipam_ip_ids"]))
	case "scaleway_lb":
		return c.createBalancer(all, fields)
	}
	return c.renderBalancer(all, resource, fields)
}

func (c *containers) updated(all records, resource string, fields attributes) error {
	return c.renderBalancer(all, resource, fields)
}

func (c *containers) deleted(all records, resource string, fields attributes) error {
	id := text(fields["id"])
	switch resource {
	case "scaleway_vpc":
		return docker("network", "rm", c.publicName())
	case "scaleway_vpc_private_network":
		return docker("network", "rm", c.name("net", id))
	case "scaleway_block_volume":
		return c.deleteVolume(fields)
	case "scaleway_instance_server":
		return docker("rm", "--force", "--volumes", c.name("node", id))
	case "scaleway_instance_private_nic":
		return docker("network", "disconnect", "--force", c.name("net", text(fields["private_network_id"])),
			c.name("node", text(fields["server_id"])))
	case "scaleway_lb":
		return errors.Join(docker("rm", "--force", "--volumes", c.name("lb", id)), os.RemoveAll(c.balancerDir(id)))
	}
	return c.renderBalancer(all, resource, fields)
}

func (c *containers) alive(resource string, fields attributes) (bool, error) {
	var server string
	switch resource {
	case "scaleway_instance_server":
		server = text(fields["id"])
	case "scaleway_instance_private_nic": // a lost machine takes its interfaces with it
		server = text(fields["server_id"])
	default:
		return true, nil
	}
	found, err := dockerOutput("ps", "--all", "--quiet", "--filter", "name=^"+c.name("node", server)+"$")
	return found != "", err
}

func (c *containers) publicName() string { return c.prefix + "-public" }

// createInstance starts a bare machine: its public address, its volumes as the cloud names them, the project's keys.
func (c *containers) createInstance(all records, fields attributes) error {
	id := text(fields["id"])
	args := []string{
		"run", "--detach", "--name", c.name("node", id), "--hostname", text(fields["name"]), "--label", c.label(),
		"--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--cgroupns", "private",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--security-opt", "systempaths=unconfined",
		"--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec", "--volume", "/var/lib/docker",
		"--network", c.publicName(), "--env", "INSTANCE_SSH_KEYS=" + projectKeys(all),
	}
	for _, ip := range texts(fields["ip_ids"]) {
		args = append(args, "--ip", text(all[ip].Fields["address"]))
	}
	for _, volume := range texts(fields["additional_volume_ids"]) {
		device, err := loopDeviceOf(c.volumeFile(volume))
		if err != nil {
			return err
		}
		uuid := volume[strings.LastIndex(volume, "/")+1:]
		args = append(args, "--device", device+":/dev/disk/by-id/scsi-0SCW_sbs_volume-"+uuid)
	}
	return docker(append(args, instanceImage)...)
}

func projectKeys(all records) string {
	var keys []string
	for _, id := range sortedKeys(all) {
		if all[id].Type == "scaleway_iam_ssh_key" {
			keys = append(keys, text(all[id].Fields["public_key"]))
		}
	}
	return strings.Join(keys, "\n")
}

func (c *containers) connect(all records, container, network string, addresses []string) error {
	args := []string{"network", "connect"}
	for _, id := range addresses {
		args = append(args, "--ip", text(all[id].Fields["address"]))
	}
	return docker(append(args, c.name("net", network), container)...)
}

func (c *containers) volumeFile(id string) string {
	return filepath.Join(c.dir, "volume-"+id[strings.LastIndex(id, "/")+1:])
}

// createVolume is a sparse file: it takes the room that is written to it.
func (c *containers) createVolume(fields attributes) error {
	file := c.volumeFile(text(fields["id"]))
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(file, whole(fields["size_in_gb"])<<30); err != nil {
		return err
	}
	_, err := output("losetup", "--find", "--show", file)
	return err
}

func (c *containers) deleteVolume(fields attributes) error {
	file := c.volumeFile(text(fields["id"]))
	device, err := loopDeviceOf(file)
	if err != nil {
		return err
	}
	if _, err := output("losetup", "--detach", device); err != nil {
		return err
	}
	return os.Remove(file)
}

func loopDeviceOf(file string) (string, error) {
	listed, err := output("losetup", "--noheadings", "--output", "NAME", "--associated", file)
	if err == nil && listed == "" {
		err = fmt.Errorf("%s has no loop device", file)
	}
	return listed, err
}

func docker(args ...string) error {
	_, err := dockerOutput(args...)
	return err
}

func dockerOutput(args ...string) (string, error) { return output("docker", args...) }

func output(program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dockerTimeout)
	defer cancel()
	var said, complained bytes.Buffer
	command := exec.CommandContext(ctx, program, args...)
	command.Stdout, command.Stderr = &said, &complained
	if err := command.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("%s %s: %w", program, args[0], err), errors.New(strings.TrimSpace(complained.String())))
	}
	return strings.TrimSpace(said.String()), nil
}
