#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/quantize_row/candidate_lines.h"

// Which point every eight (or four) values of V::kWidth groups have under a row of trial scales,
// which shrink. Most neighbouring trials fall into the same cell: they share what is computed of
// its candidates, and where the first and the last of them certainly have the same nearest point,
// so have those between (see candidate_lines.h).
namespace nibble {
namespace {

// From this trial on a point has this place.
struct Place {
  uint16_t trial;
  uint16_t place;
};

// From a trial on a point has this word (formats/codebook.h).
struct FoundWord {
  uint16_t at;
  uint16_t word;
};

// A run of trials of a point in a cell that is not a point itself.
struct Run {
  const uint16_t* words;  // of the candidates
  uint16_t count;
  uint16_t point;
  uint16_t first;
  uint16_t last;
};

// No cell has more candidates: the most are 292, of IQ2_XS.
constexpr int kMostCandidates = 304;

// The codebook's points of `kPoints` places in every lane.
template <typename V, int kDims, int kPoints, int kTrials>
class CellRuns {
 public:
  static constexpr int kCount = kPoints * V::kWidth;

  explicit CellRuns(const Codebook<kDims>& book) : book_(book) {}

  // Places of the next trial, of which there have to be kTrials: place p of lane g at kWidth * p +
  // g.
  void add_trial(const typename V::F32* places) {
    for (int p = 0; p < kPoints; ++p) {
      uint16_t* own = places_[trials_] + V::kWidth * p;
      V::store_words(own, places[p]);
      unsigned changed = V::bits(V::equal(places[p], last_[p])) ^ ((1u << V::kWidth) - 1);
      if (trials_ == 0) changed = (1u << V::kWidth) - 1;
      last_[p] = places[p];
      for (; changed != 0; changed &= changed - 1) {
        const int lane = first_bit(changed);
        const int at = V::kWidth * p + lane;
        runs_[at][counts_[at]++] = {static_cast<uint16_t>(trials_), own[lane]};
      }
    }
    ++trials_;
  }

  // Looks up the points of lane g, `scales` of the trials are kWidth apart.
  void find_group(const float* x, const float* weights, const float* scales, int g) {
    Point points[kPoints];
    for (int p = 0; p < kPoints; ++p) {
      point_values<V, kDims>(x + kDims * p, weights + kDims * p, &points[p].values);
      if constexpr (kTrials > 1) {
        line_tables<V, kDims>(points[p].values, &points[p].tables);
        points[p].tables.margin = margin_of<kDims>(x + kDims * p, weights + kDims * p, scales[0],
                                                   scales[V::kWidth * (kTrials - 1)]);
      }
    }
    Run few[kPoints * kTrials + 1];
    Run many[kPoints * kTrials + 1];
    int few_count;
    int many_count;
    collect_group(g, few, &few_count, many, &many_count);
    settle<1>(points, few, few_count, scales, g);
    settle<kMostChunks>(points, many, many_count, scales, g);
  }

  // Words of all trials; those of a group that was not looked up are 0.
  void store_words(uint16_t (*words)[kCount]) const {
    for (int t = 0; t < kTrials; ++t) {
      if (t == 0) {
        std::memset(words[0], 0, sizeof(words[0]));
      } else {
        std::memcpy(words[t], words[t - 1], sizeof(words[0]));
      }
      for (int i = 0; i < change_counts_[t]; ++i) words[t][changes_[t][i].at] = changes_[t][i].word;
    }
  }

  // Whether the place of a lane's point under trial t is none of the codebook.
  bool is_off(int t, int at) const { return book_.cells()[places_[t][at]].point < 0; }

 private:
  static constexpr int kMostChunks = kMostCandidates / V::kWidth;

  struct Point {
    PointValues<kDims> values;
    LineTables<kDims> tables;
  };

  void change(int at, int t, uint16_t word) {
    changes_[t][change_counts_[t]++] = {static_cast<uint16_t>(at), word};
  }

  // The runs of lane g in cells that are not points, those with candidates for one register and
  // those with more: what takes the same way stands together. The words of the others are known.
  void collect_group(int g, Run* few, int* few_count, Run* many, int* many_count) {
    Run* next_few = few;
    Run* next_many = many;
    for (int p = 0; p < kPoints; ++p) {
      const int at = V::kWidth * p + g;
      runs_[at][counts_[at]].trial = kTrials;
      for (int r = 0; r < counts_[at]; ++r) {
        const Place& own = runs_[at][r];
        const auto& cell = book_.cells()[own.place];
        if (cell.point >= 0) {
          change(at, own.trial, cell.word);
          continue;
        }
        const bool is_few = cell.count <= V::kWidth;
        *(is_few ? next_few : next_many) = {book_.words() + Codebook<kDims>::kTogether * cell.first,
                                            cell.count, static_cast<uint16_t>(p), own.trial,
                                            static_cast<uint16_t>(runs_[at][r + 1].trial - 1)};
        next_few += is_few;
        next_many += !is_few;
      }
    }
    *few_count = static_cast<int>(next_few - few);
    *many_count = static_cast<int>(next_many - many);
  }

  // The words of runs. What is not certain is set right when all else is done.
  template <int kChunks>
  void settle(const Point* points, const Run* runs, int count, const float* scales, int g) {
    if constexpr (kTrials == 1) {
      for (int r = 0; r < count; ++r)
        change(V::kWidth * runs[r].point + g, 0, exact(points, runs[r], scales[0]));
      return;
    }
    struct {
      const Run* run;
      FoundWord* found;
      float scale;
    } open[kPoints * kTrials + 1];
    int open_count = 0;
    for (int r = 0; r < count; ++r) {
      const Run& run = runs[r];
      const auto at = static_cast<uint16_t>(V::kWidth * run.point + g);
      const CandidateLines<V, kDims, kChunks> lines(points[run.point].tables, run.words, run.count);
      LikelyWord before = {0, false};
      const LikelyWord first = lines.nearest(scales[V::kWidth * run.first]);
      const LikelyWord last = lines.nearest(scales[V::kWidth * run.last]);
      if (first.certain && last.certain && first.word == last.word) {
        change(at, run.first, first.word);
        continue;
      }
      for (int t = run.first; t <= run.last; ++t) {
        const float scale = scales[V::kWidth * t];
        const LikelyWord likely = lines.nearest(scale);
        FoundWord* next = &changes_[t][change_counts_[t]];
        *next = {at, likely.word};
        open[open_count] = {&run, next, scale};
        open_count += !likely.certain;
        const bool is_same = before.certain && likely.certain && before.word == likely.word;
        change_counts_[t] += !is_same;
        before = likely;
      }
    }
    for (int i = 0; i < open_count; ++i)
      open[i].found->word = exact(points, *open[i].run, open[i].scale);
  }

  uint16_t exact(const Point* points, const Run& run, float scale) const {
    return nearest_word<V, kDims>(points[run.point].values, kSteps<kDims>, run.words, run.count,
                                  scale);
  }

  const Codebook<kDims>& book_;
  int trials_ = 0;
  typename V::F32 last_[kPoints] = {};
  uint16_t places_[kTrials][kCount];
  uint8_t counts_[kCount] = {};
  Place runs_[kCount][kTrials + 1];
  int change_counts_[kTrials] = {};
  FoundWord changes_[kTrials][kCount + 1];
};

}  // namespace
}  // namespace nibble
