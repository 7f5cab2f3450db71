// Runs one fixed-point primitive of gemmlowp on rows (a, b, n) of three int32 from standard input, until its end, and
// writes one int32 for each row. The argument names the primitive.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <gemmlowp/fixedpoint/fixedpoint.h>

namespace {

struct Row {
  std::int32_t a, b, n;
};

std::int32_t high32(Row row) {
  return gemmlowp::SaturatingRoundingDoublingHighMul(row.a, row.b);
}

std::int32_t high16(Row row) {
  return gemmlowp::SaturatingRoundingDoublingHighMul(static_cast<std::int16_t>(row.a),
                                                     static_cast<std::int16_t>(row.b));
}

std::int32_t divide32(Row row) {
  return gemmlowp::RoundingDivideByPOT(row.a, row.n);
}

std::int32_t divide16(Row row) {
  return gemmlowp::RoundingDivideByPOT(static_cast<std::int16_t>(row.a), row.n);
}

std::int32_t scale32(Row row) {
  return gemmlowp::RoundingDivideByPOT(gemmlowp::SaturatingRoundingDoublingHighMul(row.a, row.b), row.n);
}

struct Primitive {
  const char* name;
  std::int32_t (*run)(Row);
};

constexpr Primitive kPrimitives[] = {
    {"high32", high32}, {"high16", high16}, {"divide32", divide32}, {"divide16", divide16}, {"scale32", scale32},
};

}  // namespace

int main(int argc, char** argv) {
  for (const Primitive& primitive : kPrimitives) {
    if (argc != 2 || std::strcmp(argv[1], primitive.name) != 0) continue;
    Row row;
    while (std::fread(&row, sizeof row, 1, stdin) == 1) {
      const std::int32_t result = primitive.run(row);
      if (std::fwrite(&result, sizeof result, 1, stdout) != 1) return 1;
    }
    return std::ferror(stdin) ? 1 : 0;
  }
  std::fputs("usage: gemmlowp high32|high16|divide32|divide16|scale32 < rows > results\n", stderr);
  return 2;
}
