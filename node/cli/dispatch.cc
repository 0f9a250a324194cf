#include <unistd.h>

#include <iostream>

#include "node/cli/commands.h"
#include "node/cli/version.h"
#include "node/config/values.h"

namespace shoal {
namespace {

void print_usage(const std::vector<Command>& commands, std::ostream& out) {
  constexpr size_t kSummaryColumn = 10;
  out << "usage: shoal COMMAND [OPTION...]\n\n";
  for (const Command& command : commands) {
    out << "  " << command.name << std::string(kSummaryColumn - command.name.size(), ' ')
        << command.summary << "\n";
  }
  out << "\n`shoal COMMAND --help` tells of the command, `shoal --version` the version.\n";
}

}  // namespace

Streams Streams::standard() { return {std::cin, isatty(STDIN_FILENO) != 0, std::cout, std::cerr}; }

int dispatch(const Args& args, const std::vector<Command>& commands, Streams streams) {
  if (args.empty()) {
    print_usage(commands, streams.err);
    return kUsage;
  }
  const std::string& name = args.front();
  if (name == "--version" || name == "-V") {
    streams.out << "shoal " << kVersion << "\n";
    return kSuccess;
  }
  if (name == "--help" || name == "-h" || name == "help") {
    print_usage(commands, streams.out);
    return kSuccess;
  }
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == name) return command.run(Args(args.begin() + 1, args.end()));
    names.emplace_back(command.name);
  }
  const std::string nearest = nearest_name(name, names);
  streams.err << "shoal: " << name << ": no such command"
              << (nearest.empty() ? "; `shoal --help` lists them"
                                  : "; did you mean " + nearest + "?")
              << "\n";
  return kUsage;
}

void print_finding(const Finding& finding, std::ostream& err) {
  const bool is_warning = finding.severity == Finding::Severity::kWarning;
  err << "shoal: " << (is_warning ? "warning: " : "") << finding.text() << "\n";
}

}  // namespace shoal
