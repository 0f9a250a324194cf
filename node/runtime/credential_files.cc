#include "node/runtime/credential_files.h"

#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "node/config/address.h"

namespace shoal {
namespace {

using Outcome = CredentialAnswer::Outcome;

// The rights of one client, as the broker asks for them.
class FileAccess final : public Access {
 public:
  explicit FileAccess(std::shared_ptr<const ClientAccess> access) : access_(std::move(access)) {}

  bool may_publish(std::string_view topic) const override { return access_->may_write(topic); }
  bool may_subscribe(std::string_view filter) const override {
    return access_->filter_access(filter) != FilterAccess::kNothing;
  }
  bool may_receive(std::string_view topic) const override { return access_->may_read(topic); }

 private:
  const std::shared_ptr<const ClientAccess> access_;
};

AccessRef access_from(const std::shared_ptr<const AccessRules>& rules, std::string_view user,
                      std::string_view client_id) {
  if (!rules) return nullptr;
  return std::make_shared<FileAccess>(rules->access_of(user, client_id));
}

// Parses each file once, however many listeners name it.
template <class Parsed>
class FileCache {
 public:
  // Null without a file; a text when it cannot be read or parsed.
  std::variant<std::shared_ptr<const Parsed>, std::string> get(const std::string& path) {
    if (path.empty()) return std::shared_ptr<const Parsed>();
    if (const auto known = parsed_.find(path); known != parsed_.end()) return known->second;
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    if (!in) return path + ": cannot be read";
    auto parsed = Parsed::parse(text);
    if (const auto* errors = std::get_if<LineErrors>(&parsed)) return errors->front().text(path);
    return parsed_[path] = std::make_shared<const Parsed>(std::get<Parsed>(std::move(parsed)));
  }

 private:
  std::map<std::string, std::shared_ptr<const Parsed>> parsed_;
};

bool is_loopback(const std::string& address) {
  static const AddressRange kIpv4 = *AddressRange::parse("127.0.0.0/8");
  return address == "::1" || kIpv4.contains(address);
}

}  // namespace

std::variant<CredentialFiles, std::string> CredentialFiles::load(
    const std::vector<ListenerConfig>& listeners) {
  FileCache<Passwords> passwords;
  FileCache<AccessRules> access;
  CredentialFiles files;
  for (const ListenerConfig& listener : listeners) {
    auto users = passwords.get(listener.password_file);
    if (auto* error = std::get_if<std::string>(&users)) return std::move(*error);
    auto rights = access.get(listener.acl_file);
    if (auto* error = std::get_if<std::string>(&rights)) return std::move(*error);
    files.rules_.push_back({std::get<0>(std::move(users)), std::get<0>(std::move(rights)),
                            listener.anonymous, listener.identity_as_username,
                            listener.type == ListenerType::kUnix});
  }
  return files;
}

bool CredentialFiles::is_slow(const CredentialCheck& check) const {
  const ListenerRules& rules = rules_[check.listener];
  const bool is_known_already = rules.identity_is_user && !check.tls_identity.empty();
  return rules.passwords != nullptr && check.user_name.has_value() && !is_known_already;
}

CredentialAnswer CredentialFiles::answer(const CredentialCheck& check) const {
  const ListenerRules& rules = rules_[check.listener];
  if (rules.identity_is_user && !check.tls_identity.empty()) {
    return accepted(check.tls_identity, check);
  }
  if (check.user_name.has_value() && rules.passwords) {
    const bool is_right =
        check.password.has_value() && rules.passwords->verify(*check.user_name, *check.password);
    if (!is_right) return {Outcome::kBadCredentials, {}, nullptr};
    return accepted(*check.user_name, check);
  }
  // A name that nobody can check is no name: such a client is anonymous.
  if (lets_in_anonymous(rules, check.address)) return accepted("", check);
  return {Outcome::kNotAuthorized, {}, nullptr};
}

CredentialAnswer CredentialFiles::accepted(std::string user, const CredentialCheck& check) const {
  AccessRef access = access_from(rules_[check.listener].access, user, check.client_id);
  return {Outcome::kAccepted, std::move(user), std::move(access)};
}

std::optional<AccessRef> CredentialFiles::access_of(uint16_t listener, std::string_view user,
                                                    std::string_view client_id) const {
  const ListenerRules& rules = rules_[listener];
  const bool is_in_file = rules.passwords && rules.passwords->has_user(user);
  if (!user.empty() && !is_in_file && !rules.identity_is_user) return std::nullopt;
  return access_from(rules.access, user, client_id);
}

bool CredentialFiles::lets_in_anonymous(const ListenerRules& rules, const std::string& address) {
  switch (rules.anonymous) {
    case Anonymous::kRefused: return false;
    case Anonymous::kFromLoopback: return rules.is_local || is_loopback(address);
    case Anonymous::kAllowed: return true;
  }
  return false;
}

}  // namespace shoal
