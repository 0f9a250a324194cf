// Who a client is and what it may do: the broker asks, node/auth answers. The broker knows no
// password file, no ACL syntax and no hash.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shoal/types.h"

namespace shoal {

// What one client may do. Immutable: any thread; new rules make new objects. The answers depend on
// nothing but the argument, so that they may be cached. Topics and filters are well-formed.
class Access {
 public:
  virtual ~Access() = default;
  virtual bool may_publish(std::string_view topic) const = 0;
  // `filter` without "$share/NAME/".
  virtual bool may_subscribe(std::string_view filter) const = 0;
  virtual bool may_receive(std::string_view topic) const = 0;
};
// Null: everything is allowed.
using AccessRef = std::shared_ptr<const Access>;

// What a CONNECT says about its sender.
struct CredentialCheck {
  ConnId conn;
  uint16_t listener = 0;
  std::string address;       // the device's
  std::string tls_identity;  // of a verified client certificate; empty without one
  std::string client_id;
  std::optional<std::string> user_name;
  std::optional<std::string> password;  // bytes
};

struct CredentialAnswer {
  enum class Outcome : uint8_t {
    kAccepted,
    kBadCredentials,  // 0x86, 3.x 4
    kNotAuthorized,   // 0x87, 3.x 5
    kBanned,          // 0x8A, 3.x 5
    kUnavailable,     // 0x88, 3.x 3: the check itself failed
  };
  Outcome outcome = Outcome::kAccepted;
  std::string user;  // as it is called from here on; empty: anonymous
  AccessRef access;
};

// One enhanced authentication (5.0: 4.12), the server's side: a challenge and response exchange of
// one connection. One thread.
class AuthExchange {
 public:
  struct Step {
    bool done = false;          // `answer` holds; otherwise send `data` and wait for the client's
    std::vector<uint8_t> data;  // Authentication Data for the client; may be empty
    CredentialAnswer answer;
  };
  virtual ~AuthExchange() = default;
  // The client's Authentication Data, the one in its CONNECT first; empty if it sent none.
  virtual Step on_data(std::span<const uint8_t> data) = 0;
};

class AuthMethods {
 public:
  virtual ~AuthMethods() = default;
  // Null when the listener of `check`, which says who asks, does not offer `method`. The exchange
  // may outlive the call, not this object. Any thread.
  virtual std::unique_ptr<AuthExchange> begin(const CredentialCheck& check,
                                              std::string_view method) = 0;
};

}  // namespace shoal
