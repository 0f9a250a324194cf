// The composition root: the commands of the one program.
#include "node/cli/commands.h"
#include "node/client/bench/bench_command.h"
#include "node/client/ctl/ctl_command.h"
#include "node/client/tool_session.h"
#include "node/restore/restore.h"
#include "node/serve/recover_command.h"
#include "node/serve/serve_command.h"

namespace {

// The commands that take a main()'s arguments: a name, then those after the command.
template <int (*kRun)(int, const char* const*)>
int run_tool(const shoal::Args& args) {
  std::vector<const char*> words = {"shoal"};
  for (const std::string& arg : args) words.push_back(arg.c_str());
  return kRun(static_cast<int>(words.size()), words.data());
}

absl::StatusOr<std::string> restore(shoal::backup::Target& target,
                                    const shoal::backup::Manifest& manifest,
                                    const shoal::ctl::RestoreAsk& ask,
                                    shoal::backup::Progress& progress) {
  const auto restored = shoal::restore(target, manifest, {ask.data_dir, ask.replicas}, progress);
  if (!restored.ok()) return restored.status();
  return restored->cluster;
}

int run_ctl_with_restore(int argc, const char* const* argv) {
  return shoal::run_ctl(argc, argv, restore);
}

}  // namespace

int main(int argc, char** argv) {
  using shoal::Args;
  const auto streams = shoal::Streams::standard();
  const std::vector<shoal::Command> commands = {
      {"serve", "run a node of the broker",
       [&](const Args& args) { return shoal::run_serve(args, streams); }},
      {"pub", "publish messages", run_tool<shoal::run_pub>},
      {"sub", "subscribe and print what arrives", run_tool<shoal::run_sub>},
      {"bench", "load a broker and check every message", run_tool<shoal::run_bench>},
      {"ctl", "look at a running node and its cluster, and change them",
       run_tool<run_ctl_with_restore>},
      {"recover", "go on without nodes that are lost for good, more than a cluster bears",
       [&](const Args& args) { return shoal::run_recover(args, streams); }},
      {"passwd", "change a password file",
       [&](const Args& args) { return shoal::run_passwd(args, streams); }},
      {"check", "check a configuration file",
       [&](const Args& args) { return shoal::run_check(args, streams); }},
  };
  return shoal::dispatch(Args(argv + 1, argv + argc), commands, streams);
}
