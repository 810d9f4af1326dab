//! Draws some of the bundled digits in the terminal.

use chainrule_data::digits;
use chainrule_tensor::Seed;

fn main() {
    let images = digits(20, Seed(1));
    for index in 0..images.count() {
        println!("\n{}", images.labels()[index]);
        for row in images.pixels(index).chunks(28) {
            let shade = |&pixel: &u8| char::from(b" .:-=+*#%@"[usize::from(pixel) * 9 / 255]);
            println!("{}", row.iter().map(shade).collect::<String>());
        }
    }
}
