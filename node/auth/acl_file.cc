// The text of an ACL file to AccessRules.
#include <optional>

#include "node/auth/access_rules.h"
#include "node/auth/filters.h"
#include "node/auth/lines.h"

namespace shoal {
namespace {

// The first word, taken off the front of `rest` together with the blanks behind it.
std::string_view take_word(std::string_view& rest) {
  const size_t end = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest = trimmed(rest.substr(end));
  return word;
}

struct Access {
  bool is_deny = false;
  bool may_read = false;
  bool may_write = false;
};

std::optional<Access> access_named(std::string_view word) {
  if (word == "read") return Access{.may_read = true};
  if (word == "write") return Access{.may_write = true};
  if (word == "readwrite") return Access{.may_read = true, .may_write = true};
  if (word == "deny") return Access{.is_deny = true};
  return std::nullopt;
}

// Each mark must be a whole level: "sensor-%c" would let the client "1/x" out of its level.
const char* marks_fault(std::string_view filter) {
  for (size_t at = 0; at + 1 < filter.size(); ++at) {
    if (filter[at] != '%' || (filter[at + 1] != 'c' && filter[at + 1] != 'u')) continue;
    const bool begins_level = at == 0 || filter[at - 1] == '/';
    const bool ends_level = at + 2 == filter.size() || filter[at + 2] == '/';
    if (!begins_level || !ends_level) return "%c and %u must be the only text of their level";
  }
  return nullptr;
}

class AclReader {
 public:
  void on_line(int number, std::string_view line) {
    number_ = number;
    const std::string_view keyword = take_word(line);
    if (keyword == "user") return on_user(line);
    if (keyword == "topic") return on_rule(line, *section_, false);
    if (keyword == "pattern") return on_rule(line, table_->patterns, true);
    error("expected topic, user or pattern, got \"" + std::string(keyword) + "\"");
  }

  std::shared_ptr<const AclTable> take_table() { return std::move(table_); }
  LineErrors take_errors() { return std::move(errors_); }

 private:
  void on_user(std::string_view name) {
    if (name.empty()) return error("expected a user name after \"user\"");
    section_ = &table_->users[std::string(name)];
  }

  void on_rule(std::string_view rest, AclSection& section, bool is_pattern) {
    // `topic read` alone is the topic called "read", as in mosquitto.
    Access access{.may_read = true, .may_write = true};
    if (rest.find_first_of(" \t") != std::string_view::npos) {
      const std::string_view word = take_word(rest);
      const auto named = access_named(word);
      if (!named) {
        return error("expected read, write, readwrite or deny before the topic, got \"" +
                     std::string(word) + "\"");
      }
      access = *named;
    }
    if (!is_valid_filter(rest)) {
      return error("expected a topic filter, got \"" + std::string(rest) + "\"");
    }
    AclRule rule{
        .filter = std::string(rest), .may_read = access.may_read, .may_write = access.may_write};
    if (is_pattern) {
      if (const char* fault = marks_fault(rest)) return error(fault);
      rule.is_substituted =
          rest.find("%c") != std::string_view::npos || rest.find("%u") != std::string_view::npos;
      table_->has_patterns = true;
    }
    section.add(std::move(rule), access.is_deny);
  }

  void error(std::string what) { errors_.push_back({number_, std::move(what)}); }

  std::shared_ptr<AclTable> table_ = std::make_shared<AclTable>();
  AclSection* section_ = &table_->anonymous;
  LineErrors errors_;
  int number_ = 0;
};

}  // namespace

std::variant<AccessRules, LineErrors> AccessRules::parse(std::string_view text) {
  AclReader reader;
  for_each_line(text,
                [&reader](int number, std::string_view line) { reader.on_line(number, line); });
  LineErrors errors = reader.take_errors();
  if (!errors.empty()) return errors;
  return AccessRules(reader.take_table());
}

}  // namespace shoal
