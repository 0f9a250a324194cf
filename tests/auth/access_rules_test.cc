#include "node/auth/access_rules.h"

#include <gtest/gtest.h>

#include "node/auth/filters.h"

namespace shoal {
namespace {

AccessRules rules_of(std::string_view text) {
  auto result = AccessRules::parse(text);
  if (const auto* errors = std::get_if<LineErrors>(&result)) {
    ADD_FAILURE() << errors->front().text("acl");
    return std::get<AccessRules>(AccessRules::parse(""));
  }
  return std::get<AccessRules>(std::move(result));
}

// Every row was also tried against mosquitto 2.0.11, whose answer is the expectation.
TEST(AccessRulesTest, DecideLikeMosquitto) {
  const AccessRules rules = rules_of(R"(
topic read anon/#
user alice
topic readwrite a/#
topic deny a/private
topic write w/x
topic read read
pattern deny a/b
pattern readwrite p/%u/%c
pattern deny p/%u/deny
pattern readwrite p/%u/deny
topic readwrite late/#
pattern readwrite slash/%c/z
pattern readwrite +/any
)");
  struct Case {
    const char* user;
    const char* client_id;
    const char* topic;
    bool may_read;
    bool may_write;
  };
  const Case cases[] = {
      {"alice", "c1", "a/x", true, true},
      {"alice", "c1", "a", true, true},
      {"alice", "c1", "a/private", false, false},
      {"alice", "c1", "a/private/x", true, true},
      {"alice", "c1", "a/b", true, true},  // her own grant comes before a pattern's denial
      {"bob", "c1", "a/b", false, false},
      {"bob", "c1", "a/x", false, false},
      {"alice", "c1", "anon/x", false, false},  // for clients without a user name only
      {"", "c1", "anon/x", true, false},
      {"alice", "c1", "w/x", false, true},
      {"alice", "c1", "read", true, false},
      {"alice", "c1", "p/alice/c1", true, true},
      {"alice", "c2", "p/alice/c1", false, false},
      {"bob", "c1", "p/bob/c1", true, true},
      {"bob", "c1", "p/alice/c1", false, false},
      {"alice", "deny", "p/alice/deny", false, false},
      {"", "c1", "p//c1", false, false},  // no user name, no %u
      {"alice", "c1", "late/x", true, true},
      {"bob", "c1", "late/x", false, false},
      {"alice", "n/m", "slash/n/m/z", true, true},
      {"alice", "n/m", "slash/n/z", false, false},
      {"alice", "a+b", "a/x", true, true},
      {"bob", "x+", "x/any", false, false},  // a dangerous client id
      {"bob+", "x", "x/any", false, false},
      {"bob", "x", "x/any", true, true},
      {"bob", "x", "/any", true, true},
      {"bob", "x", "$SYS/any", false, false},
      {"alice", "c1", "$SYS/x", false, false},
      {"alice", "c1", "/", false, false},
  };
  for (const auto& [user, client_id, topic, may_read, may_write] : cases) {
    const auto access = rules.access_of(user, client_id);
    EXPECT_EQ(access->may_read(topic), may_read) << user << " " << client_id << " " << topic;
    EXPECT_EQ(access->may_write(topic), may_write) << user << " " << client_id << " " << topic;
    EXPECT_EQ(rules.allows(AclAction::kRead, user, client_id, topic), may_read);
    EXPECT_EQ(rules.allows(AclAction::kWrite, user, client_id, topic), may_write);
    EXPECT_TRUE(rules.allows(AclAction::kUnsubscribe, user, client_id, topic));
  }
}

TEST(AccessRulesTest, AnEmptyFileAllowsNothing) {
  for (const char* text : {"", "\n\n", "# topic readwrite #\n"}) {
    const auto access = rules_of(text).access_of("alice", "c");
    EXPECT_FALSE(access->may_write("a"));
    EXPECT_FALSE(access->may_read("a"));
    EXPECT_EQ(access->filter_access("#"), FilterAccess::kNothing);
  }
}

TEST(AccessRulesTest, SystemTopicsAreNamedToBeAllowed) {
  const auto all = rules_of("topic readwrite #").access_of("", "c");
  EXPECT_TRUE(all->may_read("a/b"));
  EXPECT_FALSE(all->may_read("$SYS/broker/uptime"));
  const auto system = rules_of("topic read $SYS/#").access_of("", "c");
  EXPECT_TRUE(system->may_read("$SYS/broker/uptime"));
  EXPECT_TRUE(system->may_read("$SYS"));
  EXPECT_FALSE(system->may_read("SYS/broker/uptime"));
  // Nobody makes system topics of theirs by a client id that begins with a dollar.
  EXPECT_FALSE(rules_of("pattern write %c/x").access_of("", "$SYS")->may_write("$SYS/x"));
}

TEST(AccessRulesTest, Lines) {
  const auto access = rules_of(
                          "\t topic   read \t with blanks/in it  \r\n"
                          "topic read\n"
                          "user  a user \n"
                          "topic one\n"
                          "user b\n"
                          "topic two\n"
                          "user a user\n"
                          "topic three\n")
                          .access_of("a user", "c");
  EXPECT_TRUE(access->may_write("one"));
  EXPECT_FALSE(access->may_write("two"));
  EXPECT_TRUE(access->may_write("three"));
  const auto anonymous = rules_of("topic read with blanks/in it\ntopic read\n").access_of("", "c");
  EXPECT_TRUE(anonymous->may_read("with blanks/in it"));
  EXPECT_TRUE(anonymous->may_write("read"));  // without an access: a topic of that name
}

TEST(AccessRulesTest, ErrorsNameTheirLines) {
  const auto result = AccessRules::parse(
      "topic a/#/b\n"
      "topic sometimes a\n"
      "usr alice\n"
      "user\n"
      "topic\n"
      "pattern read x-%c/y\n"
      "pattern read %u%c\n"
      "topic write a+\n"
      "topic readwrite fine\n");
  std::vector<std::string> texts;
  for (const LineError& error : std::get<LineErrors>(result)) texts.push_back(error.text("acl"));
  EXPECT_EQ(texts, (std::vector<std::string>{
                       "acl:1: expected a topic filter, got \"a/#/b\"",
                       "acl:2: expected read, write, readwrite or deny before the topic, got "
                       "\"sometimes\"",
                       "acl:3: expected topic, user or pattern, got \"usr\"",
                       "acl:4: expected a user name after \"user\"",
                       "acl:5: expected a topic filter, got \"\"",
                       "acl:6: %c and %u must be the only text of their level",
                       "acl:7: %c and %u must be the only text of their level",
                       "acl:8: expected a topic filter, got \"a+\"",
                   }));
}

TEST(AccessRulesTest, FiltersOfSubscriptions) {
  const AccessRules rules = rules_of(R"(
user u
topic read a/#
topic deny a/no/#
topic deny a/never
topic write w/#
topic read exact
topic read plus/+
pattern read p/%u/#
pattern deny p/+/no
)");
  using enum FilterAccess;
  const std::pair<const char*, FilterAccess> cases[] = {
      {"a/b", kAll},          {"a/b/#", kAll},         {"a/b/+/c", kAll},
      {"a/#", kPart},         {"a/+", kPart},          {"a/no", kNothing},
      {"a/no/#", kNothing},   {"a/no/+/x", kNothing},  {"a/never", kNothing},
      {"a/never/#", kPart},  // "a/never/x" may be read
      {"w/#", kNothing},      {"exact", kAll},         {"exact/#", kPart},
      {"#", kPart},           {"+/b", kPart},          {"+", kPart},
      {"plus/+", kAll},       {"plus/#", kPart},       {"plus/a/b", kNothing},
      {"p/u/x", kAll},        {"p/u/#", kPart},        {"p/u/no", kNothing},
      {"p/+/no", kNothing},   {"p/u/x/#", kAll},       {"p/v/#", kNothing},
      {"+/u/yes", kPart},     {"$SYS/#", kNothing},    {"nothing", kNothing},
      {"$share/g/a/b", kAll}, {"$share/g/a/#", kPart}, {"$share/g/w/#", kNothing},
  };
  const auto access = rules.access_of("u", "c");
  for (const auto& [filter, expected] : cases) {
    EXPECT_EQ(access->filter_access(filter), expected) << filter;
    EXPECT_EQ(rules.allows(AclAction::kSubscribe, "u", "c", filter), expected != kNothing);
  }
}

// The relations of filters and the answers for whole filters, against what matching says of every
// topic of a small alphabet.
class Exhaustive : public testing::Test {
 protected:
  static void grow(std::vector<std::string>& all, const std::vector<std::string>& levels) {
    for (const auto& first : levels) {
      all.push_back(first);
      for (const auto& second : levels) {
        all.push_back(first + "/" + second);
        for (const auto& third : levels) all.push_back(first + "/" + second + "/" + third);
      }
    }
  }
  void SetUp() override {
    grow(topics_, {"a", "b", "$s", ""});
    grow(filters_, {"a", "b", "$s", "", "+", "#"});
    std::erase_if(filters_, [](const auto& filter) { return !is_valid_filter(filter); });
  }
  // Ten lines that are plainly right.
  static bool matches(std::string_view filter, std::string_view topic, bool is_first = true) {
    const size_t f = filter.find('/');
    const size_t t = topic.find('/');
    const std::string_view level = filter.substr(0, f);
    if (is_first && topic.starts_with('$') && !filter.starts_with('$')) return false;
    if (level == "#") return true;
    if (level != "+" && level != topic.substr(0, t)) return false;
    if (t == topic.npos) return f == filter.npos || filter.substr(f) == "/#";
    if (f == filter.npos) return false;
    return matches(filter.substr(f + 1), topic.substr(t + 1), false);
  }

  std::vector<std::string> topics_;
  std::vector<std::string> filters_;
};

TEST_F(Exhaustive, RulesMatchAsFiltersDo) {
  for (const std::string& filter : filters_) {
    const auto access = rules_of("topic read " + filter).access_of("", "c");
    for (const std::string& topic : topics_) {
      ASSERT_EQ(access->may_read(topic), matches(filter, topic)) << filter << " " << topic;
    }
  }
}

TEST_F(Exhaustive, OverlapAndCover) {
  for (const std::string& a : filters_) {
    for (const std::string& b : filters_) {
      bool has_common = false;
      bool is_covered = true;
      for (const std::string& topic : topics_) {
        if (!matches(b, topic)) continue;
        has_common |= matches(a, topic);
        is_covered &= matches(a, topic);
      }
      ASSERT_EQ(do_filters_overlap(a, b), has_common) << a << " " << b;
      if (does_filter_cover(a, b)) ASSERT_TRUE(is_covered) << a << " " << b;
      const bool is_plain = b.find_first_of("+#") == b.npos;
      if (is_plain) ASSERT_EQ(does_filter_cover(a, b), is_covered) << a << " " << b;
    }
  }
}

TEST_F(Exhaustive, FilterAccessNeverContradictsWhatIsDelivered) {
  const AccessRules rules = rules_of(R"(
topic read a/#
topic deny a/b
topic deny +/a/a
topic read b
topic read $s/+
pattern deny b/a
pattern read b/#
pattern read +/%c
)");
  const auto access = rules.access_of("", "a");
  for (const std::string& filter : filters_) {
    bool is_any = false;
    bool is_all = true;
    for (const std::string& topic : topics_) {
      if (!matches(filter, topic)) continue;
      is_any |= access->may_read(topic);
      is_all &= access->may_read(topic);
    }
    const FilterAccess said = access->filter_access(filter);
    if (said == FilterAccess::kNothing) ASSERT_FALSE(is_any) << filter;
    if (said == FilterAccess::kAll) ASSERT_TRUE(is_all) << filter;
    if (!is_any && filter.find_first_of("+#") == filter.npos) {
      ASSERT_EQ(said, FilterAccess::kNothing) << filter;
    }
  }
}

TEST(Filters, Valid) {
  for (const char* filter : {"a", "/", "+", "#", "a/#", "a/+/b", "+/+", "$SYS/#", " ", "a//b"}) {
    EXPECT_TRUE(is_valid_filter(filter)) << filter;
  }
  for (const std::string& filter :
       {std::string(), std::string("#/a"), std::string("a#"), std::string("a+/b"),
        std::string("++"), std::string("a/#/"), std::string("a\0b", 3)}) {
    EXPECT_FALSE(is_valid_filter(filter)) << filter;
  }
}

}  // namespace
}  // namespace shoal
