// The table of options against what is derived from it.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "node/config/draft.h"
#include "node/config/help.h"
#include "node/config/values.h"

namespace shoal {
namespace {

template <class Target>
void check_table(const std::vector<Option<Target>>& options) {
  std::set<std::string_view> names;
  for (const auto& option : options) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_EQ(option.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), option.name.npos);
    EXPECT_FALSE(option.help.empty()) << option.name;
    // What a default prints as is read back as the same.
    Target target{};
    const std::string printed = option.binding.print(target);
    const bool is_filled_in_later = option.name == "workers";
    if (printed.empty() || is_filled_in_later) continue;
    std::vector<std::string> values = {printed};
    if (option.binding.is_list) values = split_list(printed);
    EXPECT_FALSE(option.binding.set(target, values).has_value()) << option.name << " " << printed;
    EXPECT_EQ(option.binding.print(target), printed) << option.name;
  }
}

TEST(Options, TablesAreSound) {
  check_table(serve_options());
  check_table(listener_keys());
}

// Each row sets a field of its own: what one sets, no other row's value changes.
TEST(Options, EachSetsItsOwnField) {
  const auto sample_of = [](const Option<ServeDraft>& option) -> std::string {
    for (const char* sample :
         {"7", "2", "1.3", "os", "reject-new", "json", "error", "10.9.8.7:6543", "10.9.8.7",
          "33MiB", "33KiB", "33s", "true", "/path", "1"}) {
      ServeDraft draft;
      if (option.binding.set(draft, std::vector<std::string>{sample})) continue;
      if (option.binding.print(draft) != option.binding.print(ServeDraft{})) return sample;
    }
    return {};
  };
  for (const auto& option : serve_options()) {
    std::string sample = sample_of(option);
    if (option.name == "allow-zero-length-client-id") sample = "false";
    ASSERT_FALSE(sample.empty()) << option.name;
    ServeDraft draft;
    ASSERT_FALSE(option.binding.set(draft, std::vector<std::string>{sample})) << option.name;
    for (const auto& other : serve_options()) {
      const bool is_changed = other.binding.print(draft) != other.binding.print(ServeDraft{});
      EXPECT_EQ(is_changed, other.name == option.name) << option.name << " " << other.name;
    }
  }
}

TEST(Options, Variables) {
  EXPECT_EQ(variable_of("max-packet-size"), "SHOAL_MAX_PACKET_SIZE");
  EXPECT_EQ(variable_of("mqtt"), "SHOAL_MQTT");
}

TEST(Options, HelpNamesEachAndKeepsToItsWidth) {
  std::istringstream help(serve_help());
  std::set<std::string> shown;
  for (std::string line; std::getline(help, line);) {
    EXPECT_LE(line.size(), 100u) << line;
    if (line.starts_with("  --")) shown.insert(line.substr(4, line.find(' ', 4) - 4));
  }
  for (const std::string& name : names_of(serve_options())) EXPECT_TRUE(shown.contains(name));
  EXPECT_EQ(shown.size(), serve_options().size());
}

TEST(Options, TheDocumentIsTheProgramsOwn) {
  std::ostringstream document;
  document << std::ifstream(SHOAL_SOURCE_DIR "/docs/configuration.md").rdbuf();
  EXPECT_EQ(document.str(), configuration_markdown())
      << "shoal serve --help-markdown > docs/configuration.md";
}

}  // namespace
}  // namespace shoal
