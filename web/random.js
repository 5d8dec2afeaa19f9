// The random numbers of torch's generator on a CPU, so that a seed writes the same line as in
// Python: MT19937 (Matsumoto and Nishimura 1998), and the method of Box and Muller.

const SIZE = 624;
const SHIFT = 397;

export class TorchRandom {
  constructor(seed) {
    this.state = new Uint32Array(SIZE);
    this.state[0] = seed;
    for (let i = 1; i < SIZE; i++) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, before) + i;
    }
    this.place = SIZE;
  }

  // 32 random bits.
  bits() {
    if (this.place === SIZE) this.#next();
    let word = this.state[this.place++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  // torch.rand
  uniform(count) {
    return Float32Array.from({ length: count }, () => (this.bits() & 0xffffff) / 0x1000000);
  }

  // torch.randn, for a multiple of 16 numbers
  normal(count) {
    const numbers = this.uniform(count);
    for (let start = 0; start < count; start += 16) {
      for (let i = start; i < start + 8; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - numbers[i]));
        const angle = 2 * Math.PI * numbers[i + 8];
        numbers[i] = radius * Math.cos(angle);
        numbers[i + 8] = radius * Math.sin(angle);
      }
    }
    return numbers;
  }

  #next() {
    const { state } = this;
    for (let i = 0; i < SIZE; i++) {
      const both = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
      state[i] = state[(i + SHIFT) % SIZE] ^ (both >>> 1) ^ (both & 1 ? 0x9908b0df : 0);
    }
    this.place = 0;
  }
}
