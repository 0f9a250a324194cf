#include "node/config/address.h"

#include <gtest/gtest.h>

namespace shoal {
namespace {

TEST(Address, HostPortsThatAreRead) {
  struct Case {
    const char* text;
    const char* host;
    uint16_t port;
    bool is_loopback;
    bool is_wildcard;
  };
  const Case cases[] = {
      {"127.0.0.1:1883", "127.0.0.1", 1883, true, false},
      {"127.9.9.9:0", "127.9.9.9", 0, true, false},
      {"localhost:1883", "localhost", 1883, true, false},
      {"[::1]:1883", "::1", 1883, true, false},
      {"[::ffff:127.0.0.1]:1883", "::ffff:127.0.0.1", 1883, true, false},
      {"0.0.0.0:65535", "0.0.0.0", 65535, false, true},
      {"[::]:1883", "::", 1883, false, true},
      {"10.0.0.1:1883", "10.0.0.1", 1883, false, false},
      {"[fe80::1]:1", "fe80::1", 1, false, false},
      {"node-1.shoal_net.internal:7883", "node-1.shoal_net.internal", 7883, false, false},
      {"localhost.example:1", "localhost.example", 1, false, false},
  };
  for (const Case& each : cases) {
    const auto read = host_port_of(each.text);
    ASSERT_TRUE(read) << each.text;
    EXPECT_EQ(read->host, each.host);
    EXPECT_EQ(read->port, each.port);
    EXPECT_EQ(read->is_loopback(), each.is_loopback) << each.text;
    EXPECT_EQ(read->is_wildcard(), each.is_wildcard) << each.text;
    EXPECT_EQ(read->text(), each.text);
  }
}

TEST(Address, HostPortsThatAreRefused) {
  const std::string cases[] = {
      "",
      ":",
      "1883",
      ":1883",
      "host",
      "host:",
      "host:x",
      "host:-1",
      "host:+1",
      "host:65536",
      "host:1 ",
      "a b:1",
      "::1:1883",
      "[::1]",
      "[::1]1883",
      "[::1:1",
      "[]:1",
      "[host]:1",
      "[127.0.0.1]:1",
      "127.0.0.256:1",
      "1.2.3:1",
      "http://h:80",
      "-h:1",
      "h/x:1",
      "[fe80::1%eth0]:1",
      "*:1883",
      "h:0x10",
      "h\n:1",
      std::string("h\0:1", 4),
      std::string(254, 'a') + ":1",
  };
  for (const std::string& text : cases) EXPECT_FALSE(host_port_of(text)) << text;
}

TEST(Address, RangesContain) {
  struct Case {
    const char* range;
    const char* address;
    bool contains;
  };
  const Case cases[] = {
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.1.2.3/8", "10.9.9.9", true},
      {"192.168.1.128/25", "192.168.1.127", false},
      {"192.168.1.128/25", "192.168.1.128", true},
      {"192.168.1.7", "192.168.1.7", true},
      {"192.168.1.7", "192.168.1.6", false},
      {"0.0.0.0/0", "255.255.255.255", true},
      {"0.0.0.0/0", "::1", false},  // all of IPv4 is not all of IPv6
      {"::/0", "10.0.0.1", true},
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fe00::1", false},
      {"::1", "::1", true},
      {"::ffff:10.0.0.0/104", "10.7.7.7", true},
      {"10.0.0.0/8", "::ffff:10.0.0.1", true},
      {"10.0.0.0/8", "not an address", false},
  };
  for (const auto& [range, address, contains] : cases) {
    const auto read = AddressRange::parse(range);
    ASSERT_TRUE(read) << range;
    EXPECT_EQ(read->contains(std::string_view(address)), contains) << range << " " << address;
    EXPECT_EQ(AddressRange::parse(read->text()), read) << read->text();
  }
  for (const char* text : {"", "/", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10/8",
                           "10.0.0.0/8/8", "example.com", "10.0.0.0/8 "}) {
    EXPECT_FALSE(AddressRange::parse(text)) << text;
  }
  EXPECT_EQ(AddressRange::parse("10.1.2.3/8")->text(), "10.0.0.0/8");
}

}  // namespace
}  // namespace shoal
