// Readings of a network's frames, with the constants of model/recognition/ink_words.py and of
// decoding.py. A frame has the log-probabilities of all classes; the last class is CTC's blank.

const WIDTH = 6; // readings in the beam
const PRUNING = 12; // nats below a frame's likeliest class, from which a character is left out

const logAdd = (a, b) => {
  const most = Math.max(a, b);
  return most === -Infinity ? most : most + Math.log1p(Math.exp(Math.min(a, b) - most));
};

/** The classes of the most probable path: {label, probability, frames} of each character. */
export function greedy(frames) {
  const characters = [];
  let previous = null;
  for (const [number, frame] of frames.entries()) {
    const label = frame.indexOf(Math.max(...frame)), isBlank = label === frame.length - 1;
    if (!isBlank && label !== previous) characters.push({label, probability: 0, frames: []});
    if (!isBlank) {
      const last = characters.at(-1);
      last.probability = Math.max(last.probability, Math.exp(frame[label]));
      last.frames.push(number);
    }
    previous = label;
  }
  return characters;
}

/** Lists of classes that the frames may say, at most WIDTH, the likeliest first, by prefix beam
 * search (Hannun et al. 2014); see `ctc_beam`. */
export function beam(frames) {
  // By prefix, the log-probabilities of its paths that end in a blank and in its last character.
  let readings = [{labels: [], inBlank: 0, inLabel: -Infinity}];
  for (const frame of frames) {
    const blank = frame.length - 1, least = Math.max(...frame) - PRUNING, next = new Map();
    const likely = [...frame.keys()].filter((label) => label < blank && frame[label] >= least);
    const add = (labels, inBlank, inLabel) => {
      const key = labels.join(), known = next.get(key) ?? {inBlank: -Infinity, inLabel: -Infinity};
      next.set(key, {labels, inBlank: logAdd(known.inBlank, inBlank),
        inLabel: logAdd(known.inLabel, inLabel)});
    };
    for (const {labels, inBlank, inLabel} of readings) {
      const last = labels.at(-1), total = logAdd(inBlank, inLabel);
      add(labels, total + frame[blank], inLabel + (frame[last] ?? 0));
      for (const label of likely) // equal characters need a blank in between
        add([...labels, label], -Infinity, (label === last ? inBlank : total) + frame[label]);
    }
    readings = [...next.values()].map((reading) =>
      ({...reading, score: logAdd(reading.inBlank, reading.inLabel)}))
      .sort((a, b) => b.score - a.score).slice(0, WIDTH);
  }
  return readings.map(({labels}) => labels);
}
