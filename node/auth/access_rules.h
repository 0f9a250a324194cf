// Who may publish and receive what: an ACL file in mosquitto's format, as an immutable snapshot.
//
//   topic read news/#                  before the first `user`: clients without a user name
//   user alice
//   topic readwrite home/alice/#       the topics of a user; `readwrite` may be left away
//   topic deny home/alice/private      before all that grants
//   pattern write sensor/%u/data       all clients; %u the user name, %c the client id
//
// As in mosquitto 2.0, in this order, the first that matches decides:
//   1. the client's own `topic deny` lines (its user's, or the anonymous ones),
//   2. its own lines that grant,
//   3. `pattern deny` lines,
//   4. `pattern` lines that grant; and what none matches is refused.
// So a pattern cannot take away what a user's own lines give. A client whose name or id contains
// + or # gets nothing by patterns, or it could choose an id that reads other clients' topics.
//
// SUBSCRIBE: mosquitto accepts every filter and checks each message by the read rules when it is
// delivered. So do we, but a filter of which nothing could ever be delivered is refused at once,
// and the check at delivery is left out where the rules cover the whole filter: see FilterAccess.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include "node/auth/line_error.h"

namespace shoal {

enum class AclAction : uint8_t { kRead, kWrite, kSubscribe, kUnsubscribe };

// What of a topic filter a client may read.
enum class FilterAccess : uint8_t {
  kNothing,  // refuse the subscription: 0x87, 0x80 to 3.1.1
  kPart,     // accept it and check each message with may_read()
  kAll,      // accept it; no message needs a check
};

// Parts of an ACL file; see AccessRules.
struct AclRule {
  std::string filter;
  bool may_read = false;
  bool may_write = false;
  bool is_substituted = false;  // it has %c or %u
};

class AclSection {
 public:
  void add(AclRule rule, bool is_deny);

  const std::vector<AclRule>& denies() const { return denies_; }
  const std::vector<AclRule>& grants() const { return grants_; }
  // Without wildcards and substitution: found by the topic itself, however many there are.
  struct Exact {
    bool is_denied = false;
    bool may_read = false;
    bool may_write = false;
  };
  Exact exact(std::string_view topic) const;
  template <class Visit>
  void for_each_exact(Visit visit) const {
    for (const auto& [topic, what] : exact_) visit(std::string_view(topic), what);
  }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  std::vector<AclRule> denies_;
  std::vector<AclRule> grants_;
  absl::flat_hash_map<std::string, Exact, Hash, std::equal_to<>> exact_;
};

struct AclTable {
  AclSection anonymous;
  std::map<std::string, AclSection, std::less<>> users;
  AclSection patterns;
  bool has_patterns = false;
};

// The rules for one (user, client id): made when it connects and again when the file is reloaded.
// Immutable; checks allocate nothing, but filter_access().
class ClientAccess {
 public:
  ClientAccess(std::shared_ptr<const AclTable> table, std::string_view user,
               std::string_view client_id);

  bool may_write(std::string_view topic) const { return may(topic, false); }
  bool may_read(std::string_view topic) const { return may(topic, true); }
  // Of a topic filter as in SUBSCRIBE, with or without "$share/NAME/".
  FilterAccess filter_access(std::string_view filter) const;

 private:
  struct Filters;  // what filter_access() gathers

  bool may(std::string_view topic, bool is_read) const;
  bool matches(const AclRule& rule, std::string_view topic) const;
  bool is_applicable(const AclRule& rule) const;
  std::string expanded(const AclRule& rule) const;

  std::shared_ptr<const AclTable> table_;
  const AclSection* own_ = nullptr;  // nullptr: the file has no section for the client
  std::string user_;
  std::string client_id_;
  bool may_use_patterns_ = true;
};

class AccessRules {
 public:
  static std::variant<AccessRules, LineErrors> parse(std::string_view text);

  // An empty user name is a client without one.
  std::shared_ptr<const ClientAccess> access_of(std::string_view user,
                                                std::string_view client_id) const;

  // For single questions (the admin's, the tests'); connections keep their ClientAccess.
  bool allows(AclAction action, std::string_view user, std::string_view client_id,
              std::string_view topic_or_filter) const;

 private:
  explicit AccessRules(std::shared_ptr<const AclTable> table) : table_(std::move(table)) {}

  std::shared_ptr<const AclTable> table_;
};

}  // namespace shoal
