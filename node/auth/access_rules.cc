#include "node/auth/access_rules.h"

#include <algorithm>

#include "node/auth/filters.h"

namespace shoal {
namespace {

constexpr std::string_view kUserMark = "%u";
constexpr std::string_view kClientMark = "%c";

bool has_wildcard(std::string_view text) {
  return text.find_first_of("+#") != std::string_view::npos;
}

// "$share/NAME/FILTER" -> FILTER
std::string_view without_share(std::string_view filter) {
  constexpr std::string_view kShare = "$share/";
  if (!filter.starts_with(kShare)) return filter;
  const size_t slash = filter.find('/', kShare.size());
  return slash == std::string_view::npos ? filter : filter.substr(slash + 1);
}

}  // namespace

void AclSection::add(AclRule rule, bool is_deny) {
  if (rule.is_substituted || has_wildcard(rule.filter)) {
    (is_deny ? denies_ : grants_).push_back(std::move(rule));
    return;
  }
  Exact& exact = exact_[rule.filter];
  exact.is_denied |= is_deny;
  exact.may_read |= rule.may_read;
  exact.may_write |= rule.may_write;
}

AclSection::Exact AclSection::exact(std::string_view topic) const {
  if (exact_.empty()) return {};
  const auto found = exact_.find(topic);
  return found == exact_.end() ? Exact{} : found->second;
}

ClientAccess::ClientAccess(std::shared_ptr<const AclTable> table, std::string_view user,
                           std::string_view client_id)
    : table_(std::move(table)),
      user_(user),
      client_id_(client_id),
      may_use_patterns_(!has_wildcard(user) && !has_wildcard(client_id)) {
  if (user.empty()) {
    own_ = &table_->anonymous;
  } else if (const auto found = table_->users.find(user); found != table_->users.end()) {
    own_ = &found->second;
  }
}

bool ClientAccess::is_applicable(const AclRule& rule) const {
  if (!rule.is_substituted || !user_.empty()) return true;
  return rule.filter.find(kUserMark) == std::string::npos;  // nobody has no topics of their own
}

// A level at a time, with what stands for a mark compared in place. A client id may itself hold
// slashes: it then stands for several levels, as it does in mosquitto.
bool ClientAccess::matches(const AclRule& rule, std::string_view topic) const {
  const std::string_view filter = rule.filter;
  if (topic.starts_with('$') != filter.starts_with('$')) return false;
  if (!is_applicable(rule)) return false;
  size_t at = 0;  // in the topic
  for (size_t start = 0;;) {
    const size_t end = std::min(filter.find('/', start), filter.size());
    const std::string_view level = filter.substr(start, end - start);
    if (level == "#") return true;
    if (level == "+") {
      at = std::min(topic.find('/', at), topic.size());
    } else {
      const bool is_user = rule.is_substituted && level == kUserMark;
      const bool is_client = rule.is_substituted && level == kClientMark;
      const std::string_view text = is_user ? user_ : is_client ? client_id_ : level;
      if (!topic.substr(at).starts_with(text)) return false;
      at += text.size();
      if (at < topic.size() && topic[at] != '/') return false;
    }
    if (at == topic.size()) return end == filter.size() || filter.substr(end) == "/#";
    if (end == filter.size()) return false;
    start = end + 1;
    ++at;
  }
}

bool ClientAccess::may(std::string_view topic, bool is_read) const {
  const auto grants = [&](const AclRule& rule) {
    return (is_read ? rule.may_read : rule.may_write) && matches(rule, topic);
  };
  const auto any = [](const std::vector<AclRule>& rules, auto holds) {
    return std::any_of(rules.begin(), rules.end(), holds);
  };
  const auto decide = [&](const AclSection& section, bool& decision) {
    const AclSection::Exact exact = section.exact(topic);
    const bool is_denied = exact.is_denied || any(section.denies(), [&](const AclRule& rule) {
                             return matches(rule, topic);
                           });
    decision = !is_denied &&
               ((is_read ? exact.may_read : exact.may_write) || any(section.grants(), grants));
    return is_denied || decision;
  };
  bool decision = false;
  if (own_ != nullptr && decide(*own_, decision)) return decision;
  if (!table_->has_patterns || !may_use_patterns_) return false;
  decide(table_->patterns, decision);
  return decision;
}

std::string ClientAccess::expanded(const AclRule& rule) const {
  if (!rule.is_substituted) return rule.filter;
  std::string filter;
  for (size_t i = 0; i < rule.filter.size();) {
    const std::string_view mark = std::string_view(rule.filter).substr(i, 2);
    if (mark == kUserMark || mark == kClientMark) {
      filter += mark == kUserMark ? user_ : client_id_;
      i += mark.size();
    } else {
      filter += rule.filter[i++];
    }
  }
  return filter;
}

// The filters of one section that concern reading, with the client's name and id filled in.
struct ClientAccess::Filters {
  std::vector<std::string> denies;
  std::vector<std::string> grants;

  Filters(const ClientAccess& access, const AclSection& section) {
    for (const AclRule& rule : section.denies()) {
      if (access.is_applicable(rule)) denies.push_back(access.expanded(rule));
    }
    for (const AclRule& rule : section.grants()) {
      if (rule.may_read && access.is_applicable(rule)) grants.push_back(access.expanded(rule));
    }
    section.for_each_exact([this](std::string_view topic, const AclSection::Exact& exact) {
      if (exact.is_denied) denies.emplace_back(topic);
      if (exact.may_read && !exact.is_denied) grants.emplace_back(topic);
    });
  }

  static bool any_covers(const std::vector<std::string>& rules, std::string_view filter) {
    return std::any_of(rules.begin(), rules.end(),
                       [&](const auto& rule) { return does_filter_cover(rule, filter); });
  }
  static bool any_overlaps(const std::vector<std::string>& rules, std::string_view filter) {
    return std::any_of(rules.begin(), rules.end(),
                       [&](const auto& rule) { return do_filters_overlap(rule, filter); });
  }
};

FilterAccess ClientAccess::filter_access(std::string_view whole_filter) const {
  const std::string_view filter = without_share(whole_filter);
  if (!has_wildcard(filter)) {
    return may_read(filter) ? FilterAccess::kAll : FilterAccess::kNothing;
  }
  static const AclSection kNoRules;
  const Filters own(*this, own_ != nullptr ? *own_ : kNoRules);
  const bool has_patterns = table_->has_patterns && may_use_patterns_;
  const Filters patterns(*this, has_patterns ? table_->patterns : kNoRules);
  if (Filters::any_covers(own.denies, filter)) return FilterAccess::kNothing;
  if (!Filters::any_overlaps(own.denies, filter)) {
    if (Filters::any_covers(own.grants, filter)) return FilterAccess::kAll;
    if (!Filters::any_overlaps(patterns.denies, filter) &&
        Filters::any_covers(patterns.grants, filter)) {
      return FilterAccess::kAll;
    }
  }
  if (Filters::any_overlaps(own.grants, filter)) return FilterAccess::kPart;
  if (Filters::any_covers(patterns.denies, filter)) return FilterAccess::kNothing;
  return Filters::any_overlaps(patterns.grants, filter) ? FilterAccess::kPart
                                                        : FilterAccess::kNothing;
}

std::shared_ptr<const ClientAccess> AccessRules::access_of(std::string_view user,
                                                           std::string_view client_id) const {
  return std::make_shared<const ClientAccess>(table_, user, client_id);
}

bool AccessRules::allows(AclAction action, std::string_view user, std::string_view client_id,
                         std::string_view topic_or_filter) const {
  const ClientAccess access(table_, user, client_id);
  switch (action) {
    case AclAction::kRead: return access.may_read(topic_or_filter);
    case AclAction::kWrite: return access.may_write(topic_or_filter);
    case AclAction::kSubscribe:
      return access.filter_access(topic_or_filter) != FilterAccess::kNothing;
    case AclAction::kUnsubscribe: return true;  // taking away what one has harms nobody
  }
  return false;
}

}  // namespace shoal
