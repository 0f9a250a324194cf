package main

import (
	"fmt"
	"net/netip"
	"os"
)

// firstHost leaves the low addresses of a network to its gateway and services.
const firstHost = 10

// fillIn sets what the cloud tells of a new thing: its addresses.
func fillIn(all records, resource string, fields attributes) error {
	switch resource {
	case "scaleway_instance_ip":
		return allocate(all, publicNetwork(), fields, "address")
	case "scaleway_lb_ip":
		return allocate(all, publicNetwork(), fields, "ip_address")
	case "scaleway_ipam_ip":
		return fillPrivateAddress(all, fields)
	case "scaleway_vpc_private_network":
		return fillSubnet(fields)
	case "scaleway_instance_server":
		fields["public_ips"] = publicAddresses(all, fields)
	case "scaleway_instance_private_nic":
		fields["private_ips"] = privateAddresses(all, fields)
	case "scaleway_lb":
		for _, id := range texts(fields["ip_ids"]) {
			fields["ip_id"] = id
			fields["ip_address"] = all[id].Fields["ip_address"]
		}
	}
	return nil
}

// publicNetwork stands for the Internet's side of instances and balancers.
func publicNetwork() string {
	if subnet := os.Getenv("SHOAL_STANDIN_PUBLIC"); subnet != "" {
		return subnet
	}
	return "198.51.100.0/24"
}

func fillPrivateAddress(all records, fields attributes) error {
	network := text(nested(fields, "source")["private_network_id"])
	subnet := text(nested(all[network].Fields, "ipv4_subnet")["subnet"])
	if err := allocate(all, subnet, fields, "address"); err != nil {
		return err
	}
	prefix, err := netip.ParsePrefix(subnet)
	if err != nil {
		return err
	}
	fields["address_cidr"] = fmt.Sprintf("%s/%d", text(fields["address"]), prefix.Bits())
	return nil
}

func fillSubnet(fields attributes) error {
	block := nested(fields, "ipv4_subnet")
	prefix, err := netip.ParsePrefix(text(block["subnet"]))
	if err != nil {
		return fmt.Errorf("ipv4_subnet.subnet: %w", err)
	}
	block["id"] = newUUID()
	block["address"] = prefix.Addr().String()
	block["prefix_length"] = int64(prefix.Bits())
	return nil
}

// allocate picks the first address of the subnet that nothing has; one that was asked for is kept.
func allocate(all records, subnet string, fields attributes, name string) error {
	if text(fields[name]) != "" {
		return nil
	}
	prefix, err := netip.ParsePrefix(subnet)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, r := range all {
		taken[text(r.Fields["address"])] = true
		taken[text(r.Fields["ip_address"])] = true
	}
	address := prefix.Addr()
	for i := 0; i < firstHost; i++ {
		address = address.Next()
	}
	for ; prefix.Contains(address.Next()); address = address.Next() {
		if !taken[address.String()] {
			fields[name] = address.String()
			return nil
		}
	}
	return fmt.Errorf("no address left in %s", subnet)
}

func publicAddresses(all records, server attributes) []any {
	out := []any{}
	for _, id := range texts(server["ip_ids"]) {
		out = append(out, attributes{
			"id": id, "address": all[id].Fields["address"], "family": "inet", "dynamic": false,
			"gateway": "", "netmask": "32", "provisioning_mode": "dhcp",
		})
	}
	return out
}

func privateAddresses(all records, nic attributes) []any {
	out := []any{}
	for _, id := range texts(nic["ipam_ip_ids"]) {
		out = append(out, attributes{"id": id, "address": all[id].Fields["address"]})
	}
	return out
}

// remembered is a world of records only: enough to plan, to converge and to look at values.
type remembered struct{}

func (remembered) created(records, string, attributes) error { return nil }
func (remembered) updated(records, string, attributes) error { return nil }
func (remembered) deleted(records, string, attributes) error { return nil }
func (remembered) alive(string, attributes) (bool, error)    { return true, nil }
