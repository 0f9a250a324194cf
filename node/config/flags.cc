// The flags of `shoal serve`. The only file here that includes CLI11; its exceptions end here.
#include <CLI/CLI.hpp>

#include "node/config/draft.h"
#include "node/config/sources.h"
#include "node/config/values.h"

namespace shoal {
namespace {

// What one flag collects before its option reads it.
struct Collected {
  std::vector<std::string> values;
  CLI::Option* flag = nullptr;
};

std::string flag_of(std::string_view name) { return "--" + std::string(name); }

void unknown_argument(const std::string& argument, Findings& findings) {
  const size_t dashes = std::min(argument.find_first_not_of('-'), argument.size());
  if (dashes == 0) {
    // After an unknown flag this is most likely the flag's value: one mistake, one message.
    if (!findings.has_errors()) findings.error(argument, "serve takes options only");
    return;
  }
  const std::string name = argument.substr(dashes, argument.find('=') - dashes);
  const std::string nearest = nearest_name(name, names_of(serve_options()));
  findings.error(argument.substr(0, dashes) + name,
                 "no such flag" + (nearest.empty() ? "" : "; did you mean --" + nearest + "?"));
}

// For "--zone=" CLI11 would take the next argument as the value.
bool has_empty_value(const std::vector<std::string>& args, Findings& findings) {
  for (const std::string& argument : args) {
    if (!argument.starts_with("--") || argument.find('=') != argument.size() - 1) continue;
    findings.error(argument.substr(0, argument.size() - 1), "expected a value");
    return true;
  }
  return false;
}

// CLI11 names the flag at the head of its text: "--workers: 1 required TEXT missing".
void parse_failure(const CLI::ParseError& error, Findings& findings) {
  const std::string text = error.what();
  const size_t colon = text.find(':');
  if (text.starts_with("--") && colon != std::string::npos) {
    findings.error(text.substr(0, colon), "expected a value");
  } else {
    findings.error("", text);
  }
}

}  // namespace

FlagSource read_flags(const std::vector<std::string>& args, Findings& findings) {
  FlagSource source;
  if (has_empty_value(args, findings)) return source;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", source.wants_help);
  app.add_flag("--help-markdown", source.wants_markdown);
  std::map<std::string, Collected> collected;
  for (const auto& option : serve_options()) {
    Collected& into = collected[std::string(option.name)];
    into.flag = option.binding.is_switch ? app.add_flag(flag_of(option.name), into.values)
                                         : app.add_option(flag_of(option.name), into.values);
    // Without extra args one flag takes one value, and brackets stay what they are in [::1]:1883.
    if (!option.binding.is_switch) into.flag->expected(1)->allow_extra_args(false);
    into.flag->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // it wants them reversed
  } catch (const CLI::ParseError& error) {
    parse_failure(error, findings);
    return source;
  }
  for (const std::string& argument : app.remaining()) unknown_argument(argument, findings);
  for (auto& [name, values] : collected) {
    if (values.flag->count() > 0) source.options[name] = {std::move(values.values), flag_of(name)};
  }
  return source;
}

}  // namespace shoal
