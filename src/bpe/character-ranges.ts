/**
 * Ranges of characters that pre-tokenizers name one by one, written for regular expressions with the flag `u`. They are
 * escaped since several would change under Unicode normalisation.
 */
const raw = String.raw;

/** Letters of the scripts with two cases, for deepseek-llm. */
export const deepseekLetters = [
  raw`A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293`,
  raw`\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c`,
  raw`\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5`,
  raw`\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77`,
  raw`\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59`,
  raw`\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc`,
  raw`\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107`,
  raw`\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139`,
  raw`\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee`,
  raw`\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e`,
  raw`\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\u{10400}-\u{1044f}`,
  raw`\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}`,
  raw`\u{118a0}-\u{118df}\u{1e900}-\u{1e943}`,
].join("");

/** DeepSeek's first models took everything from Samaritan to CJK as one; white space is left out, as in llama.cpp. */
export const deepseekCjk = [
  raw`\u0800-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff`,
  raw`\u3001-\u9fa5\uac00-\ud7ff`,
].join("");

export const cjkAndKana = raw`\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff`;

/** Scripts that afmoe keeps apart; the wide range is what llama.cpp has. */
export const afmoeScripts = [
  raw`\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f`,
  raw`\u2f00-\u2fdf\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f`,
  raw`\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff`,
].join("");

/** CJK ideographs, for kimi-k2. */
export const ideographs = [
  raw`\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2ebef}`,
  raw`\u{2f800}-\u{2fa1f}`,
].join("");

export const hangul = raw`\uac00-\ud7a3\u3131-\u318e`;
export const bopomofo = raw`\u3105-\u312f`;
/** For youtu. */
export const cjkPunctuation = [
  raw`\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f`,
  raw`\ufe30-\ufe4f`,
].join("");

/** ASCII and CJK, for deepseek-llm. */
export const deepseekPunctuation = raw`!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3001\u3002`;

/** What ends a sentence in the scripts of BLOOM's languages. */
export const sentenceEnds = raw`.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c`;
