// Addresses as people write them in flags and files. Pure: nothing here resolves a name.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shoal {

// HOST:PORT. The host is a name, an IPv4 address or an IPv6 address (kept without its brackets).
struct HostPort {
  std::string host;
  uint16_t port = 0;  // 0 lets the system choose, where the option allows it

  bool is_loopback() const;  // 127.0.0.0/8, ::1 or localhost: nobody from outside gets there
  bool is_wildcard() const;  // 0.0.0.0 or ::
  std::string text() const;  // HOST:PORT again, with the brackets that IPv6 needs

  friend bool operator==(const HostPort&, const HostPort&) = default;
};

std::optional<HostPort> host_port_of(std::string_view text);

// An IP address in network order; IPv4 as ::ffff:a.b.c.d, so that one comparison serves both.
using IpBytes = std::array<uint8_t, 16>;

std::optional<IpBytes> ip_bytes_of(std::string_view text);

// A block of addresses, "10.0.0.0/8" or "fd00::/8"; a single address is a block of one.
class AddressRange {
 public:
  static std::optional<AddressRange> parse(std::string_view text);

  bool contains(const IpBytes& address) const;
  bool contains(std::string_view address) const;  // false for what is not an IP address
  std::string text() const;

  friend bool operator==(const AddressRange&, const AddressRange&) = default;

 private:
  IpBytes network_{};
  uint8_t prefix_bits_ = 128;  // of the 128, so an IPv4 /8 is stored as 104
};

}  // namespace shoal
