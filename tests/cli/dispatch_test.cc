#include <gmock/gmock.h>
#include <stdlib.h>

#include "node/cli/commands.h"
#include "tests/cli/ran.h"
#include "tests/cli/scratch.h"

namespace shoal {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

Ran run(const Args& args) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  const std::vector<Command> commands = {
      {"serve", "runs a node", [](const Args& rest) { return 10 + static_cast<int>(rest.size()); }},
      {"passwd", "makes users", [](const Args&) { return 20; }},
  };
  const int status = dispatch(args, commands, {in, false, out, err});
  return {status, out.str(), err.str()};
}

TEST(Dispatch, RunsTheCommandOrSaysWhatThereIs) {
  EXPECT_EQ(run({"serve", "--x", "y"}).status, 12);
  EXPECT_EQ(run({"passwd"}).status, 20);
  const Ran version = run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, MatchesRegex("shoal [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  const Ran help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, HasSubstr("\n  serve     runs a node\n  passwd    makes users\n"));
  const Ran nothing = run({});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_EQ(nothing.err, help.out);
  EXPECT_EQ(run({"sreve"}).err, "shoal: sreve: no such command; did you mean serve?\n");
  EXPECT_EQ(run({"frobnicate"}).err,
            "shoal: frobnicate: no such command; `shoal --help` lists them\n");
  EXPECT_EQ(run({"--frob"}).status, 2);
}

class PrepareServe : public testing::Test {
 protected:
  static Ran refused(const Args& args) {
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    const auto prepared = prepare_serve(args, {in, false, out, err});
    const int* status = std::get_if<int>(&prepared);
    return {status != nullptr ? *status : -1, out.str(), err.str()};
  }
};

TEST_F(PrepareServe, TakesTheEnvironmentAndTheHost) {
  ASSERT_EQ(setenv("SHOAL_MAX_QUEUED", "7", 1), 0);
  ASSERT_EQ(setenv("SHOAL_PORT", "tcp://10.0.0.1:1883", 1), 0);
  std::istringstream in;
  std::ostringstream out;
  const auto prepared = prepare_serve({"--max-inflight", "9"}, {in, false, out, out});
  unsetenv("SHOAL_MAX_QUEUED");
  unsetenv("SHOAL_PORT");
  ASSERT_TRUE(std::holds_alternative<Preparation>(prepared)) << out.str();
  const Preparation& ready = std::get<Preparation>(prepared);
  EXPECT_EQ(ready.config.limits.queued_max, 7u);
  EXPECT_EQ(ready.config.limits.inflight_max, 9u);
  EXPECT_GE(ready.config.workers, 1u);
  EXPECT_FALSE(ready.config.node_name.empty());
  ASSERT_EQ(ready.warnings.size(), 1u);
  EXPECT_EQ(ready.warnings[0].where, "SHOAL_PORT");
  EXPECT_EQ(out.str(), "");
}

TEST_F(PrepareServe, RefusalsEndWithStatusTwo) {
  const Scratch scratch;
  EXPECT_EQ(refused({"--max-inflight", "x"}).err,
            "shoal: --max-inflight: expected a number from 1 to 65535, got \"x\"\n");
  EXPECT_EQ(refused({"--max-inflight", "x"}).status, 2);
  const Ran missing = refused({"--password-file", scratch.path("none")});
  EXPECT_EQ(missing.status, 2);
  EXPECT_EQ(missing.err, "shoal: --password-file: " + scratch.path("none") +
                             ": cannot read: No such file or directory\n");
}

TEST_F(PrepareServe, Help) {
  const Ran help = refused({"--help", "--max-inflight", "x"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.err, "");
  EXPECT_THAT(help.out, HasSubstr("\nListeners\n  --mqtt HOST:PORT,...          MQTT over TCP ["));
  EXPECT_THAT(refused({"--help-markdown"}).out, HasSubstr("# Configuration of `shoal serve`\n"));
}

}  // namespace
}  // namespace shoal
