#pragma once

#include <cstdint>

#include "kernels/quantize_row/point_lanes.h"

// Which point every eight (or four) values of V::kWidth groups have under a row of trial scales,
// which grow or shrink. Most neighbouring trials fall into the same cell: of such a run the first
// and the last trial are looked up, and where they have the same nearest point, so have those
// between (see margin_of).
namespace nibble {
namespace {

// From this trial on a point has this place, or this word (formats/codebook.h).
struct Change {
  uint16_t trial;
  uint16_t value;
};

// What is looked up: first all of it is collected, then found, so that no step waits for the one
// before.
struct Lookup {
  const uint16_t* words;
  float scale;
  uint16_t count;
  uint16_t point;  // of the group
};

// A run of trials of a point in a cell that is not a point itself.
struct Run {
  const uint16_t* words;
  uint16_t count;
  uint16_t point;
  uint16_t first;
  uint16_t last;
};

// The codebook's points of `kPoints` places in every lane.
template <typename V, int kDims, int kPoints, int kTrials>
class CellRuns {
 public:
  static constexpr int kCount = kPoints * V::kWidth;

  explicit CellRuns(const Codebook<kDims>& book) : book_(book) {}

  // Places of the next trial: place p of lane g at kWidth * p + g.
  void add_trial(const typename V::F32* places) {
    for (int p = 0; p < kPoints; ++p) {
      V::store_words(places_ + V::kWidth * p, places[p]);
      unsigned changed = V::bits(V::equal(places[p], last_[p])) ^ ((1u << V::kWidth) - 1);
      if (trials_ == 0) changed = (1u << V::kWidth) - 1;
      last_[p] = places[p];
      for (; changed != 0; changed &= changed - 1) {
        const int at = V::kWidth * p + first_bit(changed);
        runs_[at][counts_[at]++] = {static_cast<uint16_t>(trials_), places_[at]};
      }
    }
    ++trials_;
  }

  // Looks up the points of lane g, `scales` of the trials are kWidth apart.
  void find_group(const float* x, const float* weights, const float* scales, int g) {
    PointValues<kDims> values[kPoints];
    Run runs[kPoints * kTrials];
    Lookup lookups[2 * kPoints * kTrials + 2];
    NearestWord found[2 * kPoints * kTrials + 2];
    const int run_count = collect_group(g, runs);
    int count = 0;
    for (int r = 0; r < run_count; ++r) {
      const Run& run = runs[r];
      lookups[count++] = {run.words, scales[V::kWidth * run.first], run.count, run.point};
      lookups[count] = {run.words, scales[V::kWidth * run.last], run.count, run.point};
      count += run.last > run.first;
    }
    for (int p = 0; p < kPoints; ++p)
      point_values<V, kDims>(x + kDims * p, weights + kDims * p, scales[0],
                             scales[V::kWidth * (trials_ - 1)], values + p);
    for (int i = 0; i < count; ++i)
      found[i] =
          nearest(values[lookups[i].point], lookups[i].words, lookups[i].count, lookups[i].scale);
    count = 0;
    for (int r = 0; r < run_count; ++r) {
      const Run& run = runs[r];
      const NearestWord* ends = found + count;
      count += 1 + (run.last > run.first);
      const auto middle = [&](int t) {
        return nearest(values[run.point], run.words, run.count, scales[V::kWidth * t]);
      };
      const int at = V::kWidth * run.point + g;
      change(at, run.first, ends[0].word);
      if (run.last == run.first) continue;
      fill_between(at, run.first, ends[0], run.last, ends[1], middle);
    }
  }

  // Words of trial t, after those of the trials before it.
  void advance(int t, uint16_t* words) const {
    for (int i = 0; i < change_counts_[t]; ++i) words[changes_[t][i].trial] = changes_[t][i].value;
  }

  // Whether the place of lane g's point p under trial t is none of the codebook.
  bool is_off(int t, int p, int g) const {
    const int at = V::kWidth * p + g;
    int r = counts_[at] - 1;
    while (runs_[at][r].trial > t) --r;
    return book_.cells()[runs_[at][r].value].point < 0;
  }

 private:
  NearestWord nearest(const PointValues<kDims>& values, const uint16_t* words, int count,
                      float scale) const {
    return nearest_word<V, kDims>(values, kSteps<kDims>, words, count, scale);
  }

  void change(int at, int t, uint16_t word) {
    changes_[t][change_counts_[t]++] = {static_cast<uint16_t>(at), word};
  }

  // The runs of lane g in cells that are not points; the words of the others are known.
  int collect_group(int g, Run* runs) {
    int count = 0;
    for (int p = 0; p < kPoints; ++p) {
      const int at = V::kWidth * p + g;
      runs_[at][counts_[at]].trial = static_cast<uint16_t>(trials_);
      for (int r = 0; r < counts_[at]; ++r) {
        const Change& own = runs_[at][r];
        const auto& cell = book_.cells()[own.value];
        if (cell.point >= 0) {
          change(at, own.trial, cell.word);
          continue;
        }
        runs[count++] = {book_.words() + Codebook<kDims>::kTogether * cell.first, cell.count,
                         static_cast<uint16_t>(p), own.trial,
                         static_cast<uint16_t>(runs_[at][r + 1].trial - 1)};
      }
    }
    return count;
  }

  // The words after `low` up to `high`, where those at both are known.
  template <typename Middle>
  void fill_between(int at, int low, NearestWord at_low, int high, NearestWord at_high,
                    const Middle& middle) {
    const bool same = at_low.word == at_high.word;
    if (same && (high - low < 2 || (at_low.alone && at_high.alone))) return;
    if (high - low < 2) {
      change(at, high, at_high.word);
      return;
    }
    const int between = (low + high) / 2;
    const NearestWord found = middle(between);
    fill_between(at, low, at_low, between, found, middle);
    fill_between(at, between, found, high, at_high, middle);
  }

  const Codebook<kDims>& book_;
  int trials_ = 0;
  typename V::F32 last_[kPoints] = {};
  uint16_t places_[kCount];
  uint8_t counts_[kCount] = {};
  Change runs_[kCount][kTrials + 1];
  int change_counts_[kTrials] = {};
  Change changes_[kTrials][kCount];
};

}  // namespace
}  // namespace nibble
