#include <unistd.h>

#include <ctime>
#include <ostream>
#include <thread>

#include "node/cli/check_files.h"
#include "node/cli/commands.h"
#include "node/config/files.h"
#include "node/config/help.h"
#include "node/config/load.h"

extern char** environ;

namespace shoal {
namespace {

HostFacts this_host() {
  char name[256] = "shoal";
  gethostname(name, sizeof name - 1);
  return {.name = name, .cores = std::thread::hardware_concurrency()};
}

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (!text.starts_with("SHOAL_") || equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

void print_all(const Findings& findings, std::ostream& err) {
  for (const Finding& finding : findings.all()) print_finding(finding, err);
}

}  // namespace

std::variant<Preparation, int> prepare_serve(const Args& args, Streams streams) {
  Loaded loaded =
      load_serve_config({.args = args, .environment = own_environment(), .host = this_host()});
  if (loaded.wants_help || loaded.wants_markdown) {
    streams.out << (loaded.wants_help ? serve_help() : configuration_markdown());
    return kSuccess;
  }
  if (!loaded.findings.has_errors()) check_files(loaded, std::time(nullptr));
  if (loaded.findings.has_errors()) {
    print_all(loaded.findings, streams.err);
    return kUsage;
  }
  return Preparation{std::move(loaded.config), loaded.findings.all()};
}

int run_check(const Args& args, Streams streams) {
  constexpr std::string_view kUsageText =
      "usage: shoal check FILE\n\n"
      "Says whether `shoal serve --config FILE` would start, but for flags and variables: looks "
      "at\n"
      "every key, at the keys together, and at the files that they name.\n";
  if (args.size() == 1 && (args[0] == "-h" || args[0] == "--help")) {
    streams.out << kUsageText;
    return kSuccess;
  }
  if (args.size() != 1 || args[0].starts_with('-')) {
    streams.err << "shoal: check: expected one FILE\n" << kUsageText;
    return kUsage;
  }
  const std::string& file = args[0];
  const auto text = read_small_file(file);
  if (const auto* error = std::get_if<FileError>(&text)) {
    print_finding({.where = file, .what = error->what}, streams.err);
    return kUsage;
  }
  Loaded loaded = load_config_text(std::get<std::string>(text), file, this_host());
  if (!loaded.findings.has_errors()) check_files(loaded, std::time(nullptr));
  print_all(loaded.findings, streams.err);
  if (loaded.findings.has_errors()) return kUsage;
  streams.out << file << ": good\n";
  return kSuccess;
}

}  // namespace shoal
