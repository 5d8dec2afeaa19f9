// The random numbers of torch on a CPU, so that a seed writes the same line as in Python: MT19937
// (Matsumoto and Nishimura 1998), and the method of Box and Muller.

const SIZE = 624; // words of the state (n of the paper)
const SHIFT = 397; // places from a word of the state to the word that changes it (m)

export class TorchRandom {
  constructor(seed) {
    const state = this.state = new Uint32Array(SIZE).fill(seed);
    for (let i = 1; i < SIZE; i++)
      state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    this.next = SIZE;
  }

  /** 32 random bits. */
  bits() {
    const {state} = this;
    if (this.next === SIZE) {
      for (let i = this.next = 0; i < SIZE; i++) {
        const mixed = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
        state[i] = state[(i + SHIFT) % SIZE] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
      }
    }
    let word = state[this.next++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /** The numbers of torch.rand. */
  uniform(count) {
    return Float32Array.from({length: count}, () => (this.bits() & 0xffffff) / 0x1000000);
  }

  /** The numbers of torch.randn; `count` is a multiple of 16. */
  normal(count) {
    const numbers = this.uniform(count);
    return numbers.map((_, i) => {
      const first = i & ~8; // numbers `first` and `first + 8` give two normal numbers
      const radius = Math.sqrt(-2 * Math.log(1 - numbers[first]));
      return radius * (i & 8 ? Math.sin : Math.cos)(2 * Math.PI * numbers[first + 8]);
    });
  }
}
