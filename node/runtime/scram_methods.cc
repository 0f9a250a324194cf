#include "node/runtime/scram_methods.h"

#include <openssl/rand.h>

#include <array>
#include <string>
#include <utility>

#include "node/auth/scram.h"

namespace shoal {
namespace {

// Empty when the system has no random bytes.
std::string fresh_nonce() {
  std::array<uint8_t, 18> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return {};
  return base64_of(bytes);
}

class ScramExchange final : public AuthExchange {
 public:
  ScramExchange(std::shared_ptr<const CredentialFiles> files, CredentialCheck check,
                std::string nonce)
      : files_(std::move(files)),
        check_(std::move(check)),
        server_(std::move(nonce), [this](std::string_view user) {
          return files_->passwords(check_.listener)->scram_of(user);
        }) {}

  Step on_data(std::span<const uint8_t> data) override {
    const std::string_view message(reinterpret_cast<const char*>(data.data()), data.size());
    const ScramServer::Step said = server_.on_message(message);
    Step step;
    step.done = said.outcome != ScramServer::Outcome::kContinue;
    if (said.outcome == ScramServer::Outcome::kFailure) {
      step.answer.outcome = CredentialAnswer::Outcome::kNotAuthorized;
      return step;  // why, is nobody's business
    }
    step.data.assign(said.reply.begin(), said.reply.end());
    if (step.done) step.answer = files_->accepted(server_.user(), check_);
    return step;
  }

 private:
  const std::shared_ptr<const CredentialFiles> files_;
  const CredentialCheck check_;
  ScramServer server_;
};

}  // namespace

std::unique_ptr<AuthExchange> ScramMethods::begin(const CredentialCheck& check,
                                                  std::string_view method) {
  if (method != ScramServer::kMethod) return nullptr;
  auto files = desk_.files();
  if (files->passwords(check.listener) == nullptr) return nullptr;
  std::string nonce = fresh_nonce();
  if (nonce.empty()) return nullptr;
  return std::make_unique<ScramExchange>(std::move(files), check, std::move(nonce));
}

}  // namespace shoal
