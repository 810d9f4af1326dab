//! From tables to matrices, and again for other tables.

use chainrule_core::{Description, Registry};
use chainrule_data::{Dataset, Samples};
use chainrule_tables::transform::{Impute, Keep, Log, Ordinal, Transform, register_transforms};
use chainrule_tables::{ColumnKind, ColumnRoles, Preparation, Table};

use crate::TestFile;

const FLATS: &str = "id,area,rooms,street,balcony,built,price,note\n\
    1,50.5,2,Main St,yes,1990-01-01,1000,\"quiet, bright, with a view of the old harbour and the hills\"\n\
    2,70,3,Elm St,no,1995-06-01,1300,\"next to a park with large trees and a lake for swimming, sunny\"\n\
    3,,3,Main St,yes,2001-01-01,1250,\"a flat in the old town near shops and the market, some noise\"\n\
    4,30,1,\"The \"\"Row\"\"\",no,1960-01-01,700,\"small but well kept, needs new windows and a coat of paint\"\n";

fn flats() -> Table {
    Table::read(&TestFile::new(FLATS).path).unwrap()
}

#[test]
fn roles_are_found() {
    let table = flats();
    let kinds: Vec<ColumnKind> = table.columns().iter().map(|column| column.kind()).collect();
    use ColumnKind::{Boolean, Category, Date, Identifier, Number, Text};
    assert_eq!(kinds, [Identifier, Number, Number, Category, Boolean, Date, Number, Text]);
    let preparation = ColumnRoles::new().target("price").fit(&table).unwrap();
    assert_eq!(
        preparation.feature_names().unwrap(),
        [
            "area",
            "rooms",
            "area_missing",
            "balcony",
            "built",
            "street_Elm St",
            "street_Main St",
            "street_The \"Row\""
        ]
    );
    assert_eq!(preparation.left_out(), ["id", "note"]);
    let rows = preparation.regression::<f64>(&table).unwrap();
    assert_eq!((rows.len(), rows.shape().to_vec()), (4, vec![8]));
    let mut row = [0.0; 8];
    assert_eq!(&*rows.read(3, &mut row), [700.0]);
    assert_eq!(row[5..], [0.0, 0.0, 1.0]);
    // Standardised columns have the mean 0 and the variance 1.
    let matrix = rows.samples();
    for column in [0, 1, 2, 4] {
        let values = matrix.column(column);
        assert!(values.sum().abs() < 1e-12 && (values.dot(&values) / 4.0 - 1.0).abs() < 1e-12);
    }
}

#[test]
fn a_preparation_is_written_read_and_applied_to_another_file() {
    let table = flats();
    let preparation = ColumnRoles::new()
        .class_target("rooms")
        .ignore(["price"])
        .columns(["area"], Impute::median().then(Log::default()))
        .columns(["built"], Keep)
        .fit(&table)
        .unwrap();
    assert_eq!(preparation.class_names().unwrap(), ["1", "2", "3"]);
    let expected = preparation.classification::<f32>(&table).unwrap();
    assert_eq!(expected.classes(), Some(3));
    let file = TestFile::new("");
    preparation.save(&file.path).unwrap();
    let read = Preparation::load(&file.path).unwrap();
    assert_eq!(read.to_string(), preparation.to_string());
    assert_eq!(read.classification::<f32>(&table).unwrap(), expected);
    // Through JSON as well.
    let json = serde_json::to_string(&chainrule_core::Kind::description(&preparation)).unwrap();
    let description: Description = serde_json::from_str(&json).unwrap();
    let mut registry = Registry::new();
    register_transforms(&mut registry);
    let read = Preparation::from_description(&description, &mut registry).unwrap();
    assert_eq!(read.classification::<f32>(&table).unwrap(), expected);
    // Another file, whose columns alone would be something else: areas that are missing, streets that are numbers.
    let other = TestFile::new("built,street,balcony,area\n2001-01-01,7,no,\n2002-01-01,Elm St,no,\n");
    let other = read.reader(&other.path).read().unwrap();
    let matrix = read.features::<f32>(&other).unwrap();
    assert_eq!(matrix.shape(), [2, 6]);
    let names = read.feature_names().unwrap();
    let street = names.iter().position(|name| name == "street_Elm St").unwrap();
    assert_eq!((matrix[[0, street]], matrix[[1, street]]), (0.0, 1.0));
}

#[test]
fn numbers_are_rounded_once() {
    let texts = [
        "1.00000017881393432617187499",
        "16777217.0000000001",
        "1.00000005960464477540",
        "7.006492321624085354618648E-46",
    ];
    let lines: String = texts.iter().map(|text| format!("{text},1\n")).collect();
    let table = Table::read(&TestFile::new(format!("x,y\n{lines}3,2\n")).path).unwrap();
    let preparation = ColumnRoles::new().numbers(Keep).target("y").fit(&table).unwrap();
    let rows = preparation.regression::<f32>(&table).unwrap();
    let right: Vec<f32> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let read: Vec<f32> = rows.samples().column(0).iter().copied().take(4).collect();
    assert_eq!(read, right);
    let twice: Vec<f32> = texts.iter().map(|text| text.parse::<f64>().unwrap() as f32).collect();
    assert_ne!(twice, right);
    // Also of rows that were selected.
    let some = table.select(&[4, 1]);
    let rows = preparation.regression::<f32>(&some).unwrap();
    assert_eq!(rows.samples().column(0).to_vec(), [3.0, right[1]]);
    assert_eq!((some.line(0), some.line(1)), (6, 3));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let table = flats();
    let text = |error: chainrule_tables::PreparationError| error.to_string();
    let error = ColumnRoles::new().target("prise").fit(&table).unwrap_err();
    assert!(text(error).contains("no column \"prise\"; the nearest is \"price\""));
    let error = ColumnRoles::new().target("price").ignore(["price"]).fit(&table).unwrap_err();
    assert!(text(error).contains("\"price\" is a target and left out"));
    let error = ColumnRoles::new()
        .numbers(Keep)
        .target("price")
        .fit(&table)
        .unwrap()
        .features::<f32>(&table)
        .unwrap_err();
    assert!(text(error).contains("line 4: \"area\" is missing: put the transform `impute`"));
    let error =
        ColumnRoles::new().target("street").fit(&table).unwrap().regression::<f32>(&table).unwrap_err();
    assert!(text(error).contains("\"street\" (3 classes), but a regression needs targets that are numbers"));
    let error =
        ColumnRoles::new().target("price").fit(&table).unwrap().classification::<f32>(&table).unwrap_err();
    assert!(text(error).contains("name one with `class_target`"));
    let error = ColumnRoles::new()
        .columns(["street"], Ordinal::with_order(&["Main St", "Elm St"]))
        .fit(&table)
        .unwrap_err();
    assert!(text(error).contains("line 5: ordinal of \"street\" is not defined for \"The \\\"Row\\\"\""));
    let error = ColumnRoles::new()
        .ignore(["area", "rooms", "street", "balcony", "built", "price"])
        .fit(&table)
        .unwrap_err();
    assert!(text(error).contains("has no features"));
    let big = Table::read(&TestFile::new("a,b\n1e39,1\n2,2\n").path).unwrap();
    let error = ColumnRoles::new().numbers(Keep).fit(&big).unwrap().features::<f32>(&big).unwrap_err();
    assert!(text(error).contains("line 2: \"a\" is 1e39, which is too large for f32"));
    let preparation = ColumnRoles::new().target("street").ignore(["area"]).fit(&table).unwrap();
    let other = table.select(&[0, 1]);
    assert_eq!(preparation.classification::<f32>(&other).unwrap().targets(), [1, 0]);
    let narrow = ColumnRoles::new().target("street").ignore(["area"]).fit(&other).unwrap();
    let error = narrow.classification::<f32>(&table).unwrap_err();
    assert!(
        text(error)
            .contains("line 5: \"The \\\"Row\\\"\" is no class of \"street\", which are Elm St, Main St")
    );
    for wrong in [
        "",
        "preparation(groups=[columns(of=[a], kinds=[number, date], transform=keep)])",
        "preparation(groups=3)",
    ] {
        assert!(Preparation::from_text(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn rows_without_a_target_are_left_out_by_choice() {
    let table = Table::read(&TestFile::new("x,y\n1,2\n2,\n3,4\n").path).unwrap();
    let preparation = ColumnRoles::new().target("y").fit(&table).unwrap();
    let error = preparation.regression::<f32>(&table).unwrap_err().to_string();
    assert!(error.contains("line 3: \"y\" is missing"), "{error}");
    let rest = table.without_missing(["y"]).unwrap();
    assert_eq!(preparation.regression::<f32>(&rest).unwrap().len(), 2);
}

#[test]
fn booleans_are_classes_with_their_words() {
    let table = Table::read(&TestFile::new("x,y\n1,no\n2,YES\n3,no\n").path).unwrap();
    let preparation = ColumnRoles::new().target("y").fit(&table).unwrap();
    assert_eq!(preparation.class_names().unwrap(), ["no", "YES"]);
    assert_eq!(preparation.classification::<f32>(&table).unwrap().targets(), [0, 1, 0]);
    let other = TestFile::new("x,y\n1,True\n2,True\n");
    let other = preparation.reader(&other.path).read().unwrap();
    assert_eq!(preparation.classification::<f32>(&other).unwrap().targets(), [1, 1]);
    // No rows give no matrix, and no panic.
    assert_eq!(preparation.features::<f32>(&table.select(&[])).unwrap().dim(), (0, 1));
}
