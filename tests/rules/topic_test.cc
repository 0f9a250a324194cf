#include "node/rules/topic.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace shoal {
namespace {

std::vector<std::string> levels_of(std::string_view text) {
  std::vector<std::string> out;
  for (TopicLevels levels(text); !levels.done(); levels.advance()) {
    out.emplace_back(levels.level());
  }
  return out;
}

TEST(TopicLevels, SplitsAtEverySlash) {
  using Levels = std::vector<std::string>;
  EXPECT_EQ(levels_of("a"), (Levels{"a"}));
  EXPECT_EQ(levels_of("a/bc/d"), (Levels{"a", "bc", "d"}));
  EXPECT_EQ(levels_of("/"), (Levels{"", ""}));
  EXPECT_EQ(levels_of("/a//"), (Levels{"", "a", "", ""}));
  EXPECT_EQ(levels_of(""), (Levels{""}));
}

TEST(Topic, Matches) {
  struct Case {
    const char* filter;
    const char* topic;
    bool matches;
  };
  const Case cases[] = {
      {"a/b", "a/b", true},
      {"a/b", "a/B", false},
      {"a/b", "a/b/c", false},
      {"a/b/c", "a/b", false},
      {"a/b", "/a/b", false},
      {"a/b", "a/b/", false},
      {"ACCOUNTS", "Accounts", false},
      // The multi-level wildcard, also for the level above it [MQTT5-4.7.1-1] [MQTT311-4.7.1-2].
      {"#", "a", true},
      {"#", "a/b/c", true},
      {"#", "/", true},
      {"a/#", "a", true},
      {"a/#", "a/", true},
      {"a/#", "a/b/c", true},
      {"a/#", "ab", false},
      {"a/#", "b/a", false},
      {"a/b/#", "a", false},
      {"/#", "a", false},
      {"/#", "/a", true},
      {"/#", "/", true},
      // The single-level wildcard [MQTT5-4.7.1-2] [MQTT311-4.7.1-3].
      {"+", "a", true},
      {"+", "/a", false},
      {"+/+", "/a", true},
      {"/+", "/a", true},
      {"+", "", true},
      {"a/+", "a", false},
      {"a/+", "a/", true},
      {"a/+", "a/b", true},
      {"a/+", "a/b/c", false},
      {"a/+/c", "a/b/c", true},
      {"a/+/c", "a//c", true},
      {"a/+/c", "a/c", false},
      {"+/b/#", "a/b", true},
      {"+/b/#", "a/b/c/d", true},
      {"+/+/#", "a", false},
      {"a/+/#", "a", false},
      {"a/+/#", "a/b", true},
      // Topics that begin with $ [MQTT5-4.7.2-1] [MQTT311-4.7.2-1].
      {"#", "$SYS/a", false},
      {"+/a", "$SYS/a", false},
      {"+/#", "$SYS/a", false},
      {"#", "$", false},
      {"$SYS/#", "$SYS/a", true},
      {"$SYS/#", "$SYS", true},
      {"$SYS/+", "$SYS/a", true},
      {"a/#", "a/$b", true},
      {"a/+", "a/$b", true},
      // Wildcards are whole levels; what is not well-formed matches nothing.
      {"a+/b", "ax/b", false},
      {"a/#/b", "a/x/b", false},
      {"a/#/b", "a", false},
      // Bytes, not characters: composed and decomposed e with acute [MQTT5-4.7.3-4]
      // [MQTT311-4.7.3-4].
      {"caf\xC3\xA9", "caf\xC3\xA9", true},
      {"caf\xC3\xA9", "cafe\xCC\x81", false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(topic_matches(c.filter, c.topic), c.matches) << c.filter << " and " << c.topic;
  }
}

TEST(Topic, HasWildcard) {
  const std::pair<const char*, bool> cases[] = {
      {"a/b", false}, {"+", true},   {"#", true},     {"a/+/b", true},
      {"a/#", true},  {"a+", false}, {"a#/b", false}, {"", false},
  };
  for (const auto& [filter, expected] : cases) EXPECT_EQ(has_wildcard(filter), expected) << filter;
}

TEST(Topic, ParsesSharedFilters) {  // [MQTT5-4.8.2-1] [MQTT5-4.8.2-2]
  struct Case {
    const char* text;
    const char* name;  // null: a plain filter
    const char* filter;
  };
  const Case cases[] = {
      {"$share/group/a/b", "group", "a/b"},
      {"$share/g/#", "g", "#"},
      {"$share/g//a", "g", "/a"},
      {"$share/g/$SYS/a", "g", "$SYS/a"},
      {"$share/g", nullptr, nullptr},
      {"$share", nullptr, nullptr},
      {"$share/g/$share/h/a", nullptr, nullptr},
      {"$shared/g/a", nullptr, nullptr},
      {"share/g/a", nullptr, nullptr},
      {"a/$share/g/b", nullptr, nullptr},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_shared(c.text);
    ASSERT_EQ(parsed.has_value(), c.name != nullptr) << c.text;
    if (!parsed) continue;
    EXPECT_EQ(parsed->name, c.name) << c.text;
    EXPECT_EQ(parsed->filter, c.filter) << c.text;
  }
}

TEST(Topic, ClientIdHashDependsOnIdAndSeed) {
  EXPECT_EQ(client_id_hash("alice", 1), client_id_hash("alice", 1));
  EXPECT_NE(client_id_hash("alice", 1), client_id_hash("alicf", 1));
  EXPECT_NE(client_id_hash("alice", 1), client_id_hash("alice", 2));
  EXPECT_NE(client_id_hash("", 0), 0u);
}

}  // namespace
}  // namespace shoal
