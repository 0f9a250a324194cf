// Password and ACL files of any content: never a crash, and what is accepted keeps its promises.
#include <cstdio>
#include <cstdlib>

#include "node/auth/access_rules.h"
#include "node/auth/filters.h"
#include "node/auth/password_file.h"
#include "node/auth/passwords.h"

namespace {

using namespace shoal;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// The hashes themselves are not tried: argon2id's cost would leave no time for inputs.
void try_password_file(std::string_view text) {
  const auto parsed = Passwords::parse(text);
  const std::string changed = with_user(text, "fuzz", "$6$damaged");
  require(with_user(changed, "fuzz", "$6$damaged") == changed, "with_user() is not idempotent");
  const auto removed = without_user(changed, "fuzz");
  require(removed && !without_user(*removed, "fuzz"), "without_user() left the user there");
  if (const auto* users = std::get_if<Passwords>(&parsed)) {
    require(users->scram_of("fuzz").iterations >= 4096, "a SCRAM credential of no cost");
  } else {
    require(!std::get<LineErrors>(parsed).empty(), "refused without a reason");
  }
}

// The first line is the question, "USER CLIENT TOPIC-OR-FILTER"; the rest the rules.
void try_access_file(std::string_view text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view question = text.substr(0, end);
  const auto take = [&question] {
    const size_t blank = std::min(question.find(' '), question.size());
    const std::string_view word = question.substr(0, blank);
    question.remove_prefix(std::min(blank + 1, question.size()));
    return word;
  };
  const std::string_view user = take();
  const std::string_view client_id = take();
  const auto parsed = AccessRules::parse(text.substr(std::min(end + 1, text.size())));
  const auto* rules = std::get_if<AccessRules>(&parsed);
  if (rules == nullptr) return;
  const auto access = rules->access_of(user, client_id);
  const bool may_read = access->may_read(question);
  access->may_write(question);
  if (!is_valid_filter(question)) return;
  const FilterAccess filter = access->filter_access(question);
  const bool is_topic = question.find_first_of("+#") == question.npos;
  if (is_topic && !question.starts_with("$share/")) {
    require((filter == FilterAccess::kAll) == may_read, "a topic is judged in two ways");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try_password_file(text);
  try_access_file(text);
  return 0;
}
